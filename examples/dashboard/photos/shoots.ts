import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'

/**
 * The photos of one folder.
 *
 * - `id`: the folder's path below the walked one with `/` between its parts, `.` for the walked folder
 *   itself; unique within one walk and the same on the next.
 * - `name`: what to show; as `id`, but the walked folder's own name in place of `.`.
 * - `photos`: absolute paths in natural order (`IMG_2` before `IMG_10`), never empty.
 */
export type Shoot = { id: string; name: string; folder: string; photos: readonly string[] }

/** The result of `findShoots`; `message` is a sentence for people that names the folder. */
export type FindShootsResult =
  | { ok: true; shoots: readonly Shoot[] }
  | { ok: false; reason: 'missing' | 'notAFolder' | 'unreadable' | 'noPhotos'; message: string }

/** File name extensions that count as photos, in lower case. */
const photoExtensions: ReadonlySet<string> = new Set([
  '.jpg',
  '.jpeg',
  '.png',
  '.webp',
  '.tif',
  '.tiff',
  '.avif',
  '.gif',
])

/**
 * Finds the shoots of a user's folder. Photos directly in the folder are one shoot, which comes
 * first. Every sub-folder with photos, at any depth, is another.
 *
 * Hidden files and folders and other extensions than `photoExtensions` are ignored. So are symbolic
 * links, except for `folder` itself: each photo in the folder is processed once. If the folder is
 * missing, is no folder, cannot be read in full or has no photo, the result is `ok: false`. Rejects
 * only with the signal's reason.
 */
export async function findShoots(
  folder: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<FindShootsResult> {
  try {
    const root = await realpath(folder)
    if (!(await stat(root)).isDirectory()) {
      return { ok: false, reason: 'notAFolder', message: `${folder} is not a folder` }
    }
    const found: Shoot[] = []
    await walk(root, [], found, signal)
    if (found.length === 0) {
      const message = `${folder} holds no photos (${[...photoExtensions].join(' ')})`
      return { ok: false, reason: 'noPhotos', message }
    }
    return { ok: true, shoots: found }
  } catch (error) {
    signal?.throwIfAborted()
    if (!isSystemError(error)) throw error
    if (error.code === 'ENOENT' && error.path === folder) {
      return { ok: false, reason: 'missing', message: `There is no folder ${folder}` }
    }
    const message = `${error.path ?? folder} cannot be read: ${error.code}`
    return { ok: false, reason: 'unreadable', message }
  }
}

async function walk(
  root: string,
  parts: readonly string[],
  found: Shoot[],
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted()
  const folder = join(root, ...parts)
  const entries = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => !entry.name.startsWith('.'))
    .sort((a, b) => compareNames(a.name, b.name))

  // A symbolic link is neither a file nor a folder here, so it is left out.
  const photos = entries
    .filter((entry) => entry.isFile() && photoExtensions.has(extname(entry.name).toLowerCase()))
    .map((entry) => join(folder, entry.name))
  if (photos.length > 0) {
    const id = parts.join('/') || '.'
    found.push({ id, name: parts.join('/') || basename(root), folder, photos })
  }
  for (const entry of entries) {
    if (entry.isDirectory()) await walk(root, [...parts, entry.name], found, signal)
  }
}

const naturalOrder = new Intl.Collator('en', { numeric: true })

/**
 * A collator treats some names as equal (`1` and `01`). They too need one order on all machines.
 */
function compareNames(a: string, b: string): number {
  return naturalOrder.compare(a, b) || (a < b ? -1 : 1)
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error
}
