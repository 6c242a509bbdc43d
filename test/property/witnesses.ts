import { expect } from 'vitest'

/** Counts what happened in the runs of a property: a property of things that do nothing proves nothing. */
export class Witnesses {
  readonly #seen: Record<string, number> = {}

  add(counts: object): void {
    for (const [name, count] of Object.entries(counts) as [string, number][]) {
      this.#seen[name] = (this.#seen[name] ?? 0) + count
    }
  }

  expectAtLeast(wanted: Readonly<Record<string, number>>): void {
    const scarce = Object.entries(wanted).filter(([name, least]) => (this.#seen[name] ?? 0) < least)
    expect(scarce.map(([name]) => [name, this.#seen[name]])).toEqual([])
  }
}
