import { basename } from 'node:path'
import { expect, it } from 'vitest'
import type { PhotoResult } from '../../../examples/dashboard/photos/analyze.js'
import {
  type CullProgress,
  type CullResult,
  cullShoot,
  findShoots,
  generatePictures,
  type Shoot,
} from '../../../examples/dashboard/photos/index.js'
import { temporaryFolder } from './temporary-folder.js'

function shootOf(count: number): Shoot {
  const photos = Array.from({ length: count }, (_, index) => `/shoot/${index + 1}.jpg`)
  return { id: 'shoot', name: 'shoot', folder: '/shoot', photos }
}

const exposure = { mean: 0.5, clippedShadows: 0, clippedHighlights: 0, verdict: 'good' } as const

function photo(changes: Partial<Extract<PhotoResult, { ok: true }>> = {}): PhotoResult {
  return {
    ok: true,
    width: 3,
    height: 2,
    sharpness: 1,
    exposure,
    hash: '0000000000000000',
    faults: [],
    verdict: 'keep',
    ...changes,
  }
}

/** An analysis that waits until the test lets photo after photo go. */
/** Culls a shoot of as many photos as there are results, by path. */
function cullResults(results: Record<string, PhotoResult>) {
  return cullShoot(shootOf(Object.keys(results).length), {
    analyze: (path) => Promise.resolve(results[path] ?? photo()),
  })
}

function steppedAnalysis() {
  const waiting: { path: string; finish(): void }[] = []
  let mostAtOnce = 0
  return {
    waiting,
    mostAtOnce: () => mostAtOnce,
    analyze: (path: string, { signal }: { signal?: AbortSignal | undefined } = {}) =>
      new Promise<PhotoResult>((resolve, reject) => {
        waiting.push({ path, finish: () => resolve(photo()) })
        mostAtOnce = Math.max(mostAtOnce, waiting.length)
        signal?.addEventListener('abort', () => reject(signal.reason as Error))
      }),
    async finishOne() {
      waiting.shift()?.finish()
      await new Promise(setImmediate)
    },
  }
}

/** What became of each photo, in words, in the shoot's order. */
function outcomes({ photos }: Shoot, { keep, reject, failed }: CullResult): string[] {
  const outcome = new Map<string, string>([
    ...keep.map(({ path }) => [path, 'keep'] as const),
    ...reject.map(({ path, reasons }) => [path, reasons.map(({ code }) => code).join()] as const),
    ...failed.map(({ path, reason }) => [path, reason] as const),
  ])
  expect(keep.length + reject.length + failed.length).toBe(photos.length)
  return photos.map((path) => outcome.get(path) ?? 'forgotten')
}

it('keeps good pictures and says why of every other, on real files', async () => {
  const folder = await temporaryFolder()
  const pictures = await generatePictures({ folder, seed: 'cull', count: 24 })
  const found = await findShoots(folder)
  if (!found.ok) throw new Error(found.message)
  expect(found.shoots.map(({ name }) => name)).toEqual(['harbour', 'old-town', 'orchard'])
  expect(found.shoots.flatMap(({ photos }) => photos)).toEqual(pictures.map(({ path }) => path))

  for (const shoot of found.shoots) {
    const result = await cullShoot(shoot)
    const [first, second, ...others] = outcomes(shoot, result)
    expect([first, second].sort()).toEqual(['keep', 'nearDuplicate'])
    expect(others).toEqual([
      'blurred,nearDuplicate',
      'keep',
      'underexposed',
      'overexposed',
      'keep',
      shoot.name === 'orchard' ? 'undecodable' : 'blurred',
    ])

    const duplicate = result.reject[0]
    const kept = result.keep[0]
    expect(duplicate?.reasons).toEqual([{ code: 'nearDuplicate', of: kept?.path }])
    expect(duplicate?.analysis.sharpness).toBeLessThan(kept?.analysis.sharpness ?? 0)
  }
})

it('compares photos with the best of a scene only, not in chains', async () => {
  const { keep, reject } = await cullResults({
    '/shoot/1.jpg': photo({ sharpness: 3, hash: '0000000000000000' }),
    '/shoot/2.jpg': photo({ sharpness: 2, hash: '0000000000000fff' }),
    '/shoot/3.jpg': photo({ sharpness: 1, hash: '0000000000ffffff' }),
  })
  expect(keep.map(({ path }) => path)).toEqual(['/shoot/1.jpg', '/shoot/3.jpg'])
  expect(reject).toMatchObject([
    { path: '/shoot/2.jpg', reasons: [{ code: 'nearDuplicate', of: '/shoot/1.jpg' }] },
  ])
})

it('prefers a photo without faults to a sharper one with', async () => {
  const { keep, reject } = await cullResults({
    '/shoot/1.jpg': photo({ sharpness: 9, faults: ['overexposed'], verdict: 'reject' }),
    '/shoot/2.jpg': photo({ sharpness: 2 }),
    '/shoot/3.jpg': photo({ sharpness: 3 }),
  })
  expect(keep.map(({ path }) => path)).toEqual(['/shoot/3.jpg'])
  const duplicate = { code: 'nearDuplicate', of: '/shoot/3.jpg' }
  expect(reject).toMatchObject([
    { path: '/shoot/1.jpg', reasons: [{ code: 'overexposed' }, duplicate] },
    { path: '/shoot/2.jpg', reasons: [duplicate] },
  ])
})

it('reports after each photo, failed ones too, up to the total', async () => {
  const progress: CullProgress[] = []
  const { failed } = await cullShoot(shootOf(5), {
    onProgress: (now) => progress.push(now),
    analyze: (path) =>
      Promise.resolve(
        path === '/shoot/3.jpg' ? { ok: false, reason: 'undecodable', message: 'cut' } : photo(),
      ),
  })
  expect(progress.map(({ processedCount }) => processedCount)).toEqual([1, 2, 3, 4, 5])
  expect(new Set(progress.map(({ totalCount }) => totalCount))).toEqual(new Set([5]))
  expect(new Set(progress.map(({ currentImage }) => currentImage))).toEqual(
    new Set(shootOf(5).photos.map((path) => basename(path))),
  )
  expect(progress.at(-1)?.etaSeconds).toBe(0)
  expect(failed).toEqual([{ path: '/shoot/3.jpg', reason: 'undecodable', message: 'cut' }])
})

it('estimates the time left from the pace of the latest eight photos', async () => {
  let nowMs = 5_000
  const etas: number[] = []
  // Eleven photos of 2 s, then four of 10 s: the estimate leans to the new pace photo by photo.
  let photoNumber = 0
  await cullShoot(shootOf(15), {
    concurrency: 1,
    clock: { now: () => nowMs },
    onProgress: ({ etaSeconds }) => etas.push(etaSeconds),
    analyze: () => {
      nowMs += ++photoNumber <= 11 ? 2_000 : 10_000
      return Promise.resolve(photo())
    },
  })
  expect(etas).toEqual([28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 9, 8, 5, 0])
})

it('works on two photos at a time unless told otherwise, whatever order they finish in', async () => {
  for (const [concurrency, expected] of [
    [undefined, 2],
    [1, 1],
    [3, 3],
    [50, 6],
  ] as const) {
    const stepped = steppedAnalysis()
    const cull = cullShoot(shootOf(6), { concurrency, analyze: stepped.analyze })
    for (let step = 0; step < 6; step++) {
      stepped.waiting.reverse()
      await stepped.finishOne()
    }
    const { keep, reject } = await cull
    expect(stepped.mostAtOnce()).toBe(expected)
    expect(keep.map(({ path }) => path)).toEqual(['/shoot/1.jpg'])
    expect(reject.map(({ path }) => path)).toEqual(shootOf(6).photos.slice(1))
  }
})

it('stops at once when aborted: no photo is begun and no progress reported afterwards', async () => {
  const stepped = steppedAnalysis()
  const controller = new AbortController()
  const counts: number[] = []
  const cull = cullShoot(shootOf(10), {
    signal: controller.signal,
    analyze: stepped.analyze,
    onProgress: ({ processedCount }) => counts.push(processedCount),
  })
  await stepped.finishOne()
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(cull).rejects.toBe(reason)
  expect(stepped.waiting).toHaveLength(2)
  await stepped.finishOne()
  expect(stepped.waiting).toHaveLength(1)
  expect(counts).toEqual([1])
})

it('begins nothing when aborted beforehand', async () => {
  const stepped = steppedAnalysis()
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  await expect(cullShoot(shootOf(2), { signal, analyze: stepped.analyze })).rejects.toBe(reason)
  expect(stepped.mostAtOnce()).toBe(0)
})

it('ends with what onProgress throws, and begins no further photo', async () => {
  const stepped = steppedAnalysis()
  const bug = new Error('bug')
  const cull = cullShoot(shootOf(10), {
    analyze: stepped.analyze,
    onProgress: () => {
      throw bug
    },
  })
  const outcome = expect(cull).rejects.toBe(bug)
  await stepped.finishOne()
  await outcome
  await stepped.finishOne()
  expect(stepped.waiting).toHaveLength(0)
})

it.each([0, -2, 1.5, Number.NaN])('refuses a concurrency of %s', async (concurrency) => {
  await expect(cullShoot(shootOf(1), { concurrency })).rejects.toThrow(RangeError)
})

it('culls a shoot without photos to nothing', async () => {
  expect(await cullShoot(shootOf(0))).toEqual({ keep: [], reject: [], failed: [] })
})
