import { expect, it } from 'vitest'
import { parseCommandLine } from '../../../examples/dashboard/command-line.js'

it('[DEMO-19] watches on port 5000 unless told otherwise', () => {
  expect(parseCommandLine([], {})).toEqual({
    run: 'watch',
    port: 5000,
    folder: undefined,
    pictures: 60,
    seed: 'statewire',
    paceMs: 150,
    accessLifeMs: 3_600_000,
  })
  expect(parseCommandLine([], { PORT: '8080' })).toMatchObject({ port: 8080 })
  expect(parseCommandLine([], { PORT: '0' })).toMatchObject({ port: 0 })
  expect(parseCommandLine([], { PORT: '' })).toMatchObject({ port: 5000 })
})

it('[DEMO-26] makes access tokens last as long as it is told', () => {
  expect(parseCommandLine(['--token-life', '10'], {})).toMatchObject({ accessLifeMs: 10_000 })
})

it('[DEMO-20] runs once, as fast as it can, wherever the option stands', () => {
  const once = {
    run: 'once',
    isOffline: false,
    folder: 'photos',
    pictures: 24,
    seed: 'statewire',
    paceMs: 0,
  }
  expect(parseCommandLine(['--once', 'photos'], {})).toEqual(once)
  expect(parseCommandLine(['photos', '--once'], {})).toEqual(once)
  const options = ['--once', '--pictures', '9', '--seed', 'x', '--pace=20']
  expect(parseCommandLine(options, {})).toEqual({
    run: 'once',
    isOffline: false,
    folder: undefined,
    pictures: 9,
    seed: 'x',
    paceMs: 20,
  })
})

it('[DEMO-37] takes the worker offline where it runs once', () => {
  expect(parseCommandLine(['--offline', '--once'], {})).toMatchObject({ isOffline: true })
})

it('helps', () => {
  expect(parseCommandLine(['--help'], {})).toEqual({ run: 'help' })
  expect(parseCommandLine(['-h', '--once'], {})).toEqual({ run: 'help' })
})

it.each([
  [['a', 'b'], {}, /One folder/],
  [['--twice'], {}, /--twice/],
  [['--offline'], {}, /--offline goes with --once/],
  [['--pictures'], {}, /--pictures/],
  [['--pictures', '0'], {}, /--pictures/],
  [['--pictures', '1.5'], {}, /--pictures/],
  [['--pictures='], {}, /--pictures/],
  [['--pictures', 'many'], {}, /--pictures/],
  [['--pictures', '10001'], {}, /--pictures/],
  [['--pace=-1'], {}, /--pace/],
  [['--pace', 'slow'], {}, /--pace/],
  [['--pace', '60001'], {}, /--pace/],
  [['--token-life', '1'], {}, /--token-life/],
  [['--token-life', 'long'], {}, /--token-life/],
  [['--token-life', '86401'], {}, /--token-life/],
  [[], { PORT: 'http' }, /PORT/],
  [[], { PORT: '-1' }, /PORT/],
  [[], { PORT: '65534' }, /PORT/],
])('[DEMO-22] refuses %o with %o', (args, env, message) => {
  const command = parseCommandLine(args, env)
  expect(command).toEqual({ run: 'refuse', message: expect.stringMatching(message) as string })
})
