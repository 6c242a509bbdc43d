import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

interface Locked {
  resolved?: string
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}
const { packages } = JSON.parse(
  readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'),
) as { packages: Record<string, Locked> }

it('records no address that a package was downloaded from', () => {
  const addresses = Object.values(packages).flatMap(({ resolved }) => resolved ?? [])
  expect(addresses.filter((address) => address.includes('://'))).toEqual([])
})

// npm leaves out the package of a platform that the registry did not have yet; `npm ci` then refuses
// the lockfile.
it('knows every package that another one names, for every platform', () => {
  const known = new Set(Object.keys(packages).map((path) => path.split('node_modules/').pop()))
  const named = Object.values(packages).flatMap(({ dependencies, optionalDependencies }) =>
    Object.keys({ ...dependencies, ...optionalDependencies }),
  )
  expect(named.filter((name) => !known.has(name))).toEqual([])
})
