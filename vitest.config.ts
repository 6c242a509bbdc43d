import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { chromiumArgs, findChromium } from './scripts/lib/chromium.mjs'
import { sourceAliases } from './scripts/lib/entries.mjs'

const executablePath = findChromium()
const browserPackages = [
  'fast-check',
  'idb',
  'isomorphic-ws',
  'rxjs',
  'xstate',
  'zod',
  'zod/mini',
  'zod/v4/core',
]

export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    // At most two files at once: some tests use real sockets, and CI has two cores.
    maxWorkers: 2,
    // Ends a test that hangs. A slow test on a busy machine must not fail.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: ['test/**/*.test.ts', 'examples/*/test/**/*.test.ts'],
          exclude: ['test/browser/**', 'test/e2e/**'],
        },
      },
      {
        // Tests that run in Node and drive a browser.
        extends: true,
        test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'types',
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: ['test/types/**/*.test-d.ts'],
            tsconfig: 'test/types/tsconfig.json',
          },
        },
      },
      {
        extends: true,
        // Vite reloads the page when it finds a package late, in the middle of a test.
        optimizeDeps: { include: browserPackages },
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          globalSetup: ['test/browser/scripted-server.setup.ts'],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                args: chromiumArgs,
                ...(executablePath !== undefined && { executablePath }),
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reportsDirectory: 'coverage',
      thresholds: { branches: 95 },
    },
  },
})
