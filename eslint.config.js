import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const namedExports = {
  selector: 'ExportDefaultDeclaration',
  message: 'The library exports by name.',
}

/** Every source of time and chance is injected; these are the doors around that. */
const injected = [
  ...['setTimeout', 'setInterval', 'setImmediate', 'requestAnimationFrame', 'crypto'].map(
    (name) => ({ name, message: 'Take it from the injected clock or randomness.' }),
  ),
  ...['process', 'Buffer', 'global', '__dirname', 'require'].map((name) => ({
    name,
    message: 'Browsers have no such thing.',
  })),
]

/** As a default that can be replaced they may be named, but nothing calls them. */
const calls = [
  ['Math', 'random'],
  ['Date', 'now'],
  ['performance', 'now'],
].map(([object, property]) => ({
  selector: `CallExpression[callee.object.name='${object}'][callee.property.name='${property}']`,
  message: 'Take it from the injected clock or randomness.',
}))

export default defineConfig(
  globalIgnores([
    '**/dist/',
    '**/.cache/',
    'coverage/',
    'reports/',
    '.stryker-tmp/',
    'docs/api/',
    'docs/.vitepress/{cache,dist}/',
    'test/fixtures/',
  ]),
  {
    files: ['**/*.{ts,js,mjs}'],
    extends: [
      js.configs.recommended,
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
    ],
    languageOptions: {
      parserOptions: { projectService: true },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // TypeScript knows what is defined.
      'no-undef': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Unions of messages carry both shapes on purpose, and the compiler tells them apart.
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // A fold may change its draft and return nothing.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // An empty function is how "nobody listens" is said.
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      // TypeScript's noPropertyAccessFromIndexSignature asks for the brackets.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
    },
  },
  {
    files: ['src/**'],
    rules: { 'no-restricted-syntax': ['error', namedExports] },
  },
  {
    // What browsers load, but for the one file that takes time from the platform.
    files: ['src/**'],
    ignores: [
      'src/base/clock.ts',
      'src/server/**',
      'src/kull/server{.ts,/**}',
      'src/{storage,delivery/store}/node*',
    ],
    rules: {
      'no-restricted-globals': ['error', ...injected],
      'no-restricted-syntax': ['error', namedExports, ...calls],
    },
  },
  {
    files: ['test/**', 'examples/*/test/**'],
    rules: {
      // Nothing is skipped, and no half-done test lands.
      'no-restricted-properties': [
        'error',
        ...['it', 'test', 'describe'].flatMap((object) =>
          ['skip', 'only', 'todo', 'skipIf', 'runIf', 'fails'].map((property) => ({
            object,
            property,
            message: 'Every test runs, everywhere.',
          })),
        ),
      ],
      // A test asserts what it expects of a value; the compiler need not be told again.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['scripts/**', 'bench/**', 'chaos/**', 'examples/**'],
    rules: { 'no-console': 'off' },
  },
  {
    // Written in JavaScript with types in comments: what a JSON file holds is taken on trust.
    files: ['**/*.{js,mjs}'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
)
