// The pictures of the fleet: they are loaded once the first cards are there, which do not wait for them.
export { Skyline } from "./skyline";
export { Spark } from "./spark";
