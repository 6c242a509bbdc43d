/** What a browser keeps between visits; in a private window it may refuse to. */
export type Kept = {
  read(key: string): string | undefined
  write(key: string, value: string): void
}

/** What is used of a browser's `Storage`. */
type ValueStore = {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
}

/** Keeps values in a browser's storage, and forgets them where there is none: even to look at it may throw. */
export function createKept(storage: () => ValueStore): Kept {
  return {
    read(key) {
      try {
        return storage().getItem(`kull.${key}`) ?? undefined
      } catch {
        return undefined
      }
    },
    write(key, value) {
      try {
        storage().setItem(`kull.${key}`, value)
      } catch {
        // The choice lasts as long as the page, then.
      }
    },
  }
}

/** This browser's device id: a UUID in upper case, made once and kept. */
export function keepDeviceId(kept: Kept, makeId: () => string): string {
  const known = kept.read('deviceId')
  if (known !== undefined) return known
  const made = makeId().toUpperCase()
  kept.write('deviceId', made)
  return made
}
