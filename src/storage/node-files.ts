import { randomUUID } from 'node:crypto'
import { open, readFile, rename, unlink } from 'node:fs/promises'

/** Reads a file as text; gives `undefined` for a file that does not exist. */
export async function readTextIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Removes a file that another process may have removed. */
export function unlinkIfThere(file: string): Promise<void> {
  return ifThere(unlink(file))
}

/** Waits for a change of a file. Does nothing if the file does not exist. */
export async function ifThere(change: Promise<void>): Promise<void> {
  try {
    await change
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
}

/**
 * Puts a file in place in one step: a crash leaves the old one or the new one. Which of them is not
 * settled before the folder is synced. `draft` is the file that is written first, in the same folder.
 */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  draft = `${file}~${randomUUID()}`,
): Promise<void> {
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } catch (error) {
    await unlink(draft).catch(() => {})
    throw error
  }
}

/** Makes the names of a folder's new files survive a crash. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folder, and needs none of this.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Tells one of Node's errors by its code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
