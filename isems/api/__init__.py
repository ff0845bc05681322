"""What is served over HTTP. Routes read, call one function and answer."""
