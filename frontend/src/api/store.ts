/** A value that tells whoever listens when it changes. */
export class Store<T> {
  private readonly listeners = new Set<() => void>();

  constructor(private current: T) {}

  get(): T {
    return this.current;
  }

  set(value: T): void {
    if (value === this.current) return;
    this.current = value;
    for (const listener of [...this.listeners]) listener();
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    this.listened(this.listeners.size);
    return () => {
      this.listeners.delete(listener);
      this.listened(this.listeners.size);
    };
  }

  /** Called with the number of listeners whenever it changes. */
  protected listened(_count: number): void {}
}
