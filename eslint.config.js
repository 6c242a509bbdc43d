import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const namedExports = {
  selector: 'ExportDefaultDeclaration',
  message: 'The library exports by name.',
}

/** Time and randomness are injected; nothing may use these globals instead. */
const injected = [
  ...['setTimeout', 'setInterval', 'setImmediate', 'requestAnimationFrame', 'crypto'].map(
    (name) => ({ name, message: 'Use the injected clock or randomness.' }),
  ),
  ...['process', 'Buffer', 'global', '__dirname', 'require'].map((name) => ({
    name,
    message: 'Browsers have no such thing.',
  })),
]

/** Code may name these functions as a default that users can replace, but must not call them. */
const calls = [
  ['Math', 'random'],
  ['Date', 'now'],
  ['performance', 'now'],
].map(([object, property]) => ({
  selector: `CallExpression[callee.object.name='${object}'][callee.property.name='${property}']`,
  message: 'Use the injected clock or randomness.',
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
      // Both interfaces and type aliases are used.
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // A fold may return a state or nothing.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // An empty function is the default of a callback.
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      // The compiler's noPropertyAccessFromIndexSignature requires the brackets.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
    },
  },
  {
    files: ['src/**'],
    rules: { 'no-restricted-syntax': ['error', namedExports] },
  },
  {
    // Files that browsers load, except the one that takes time from the platform.
    files: ['src/**'],
    ignores: [
      'src/base/clock.ts',
      'src/server/**',
      'src/kull/server{.ts,/**}',
      'src/{storage,delivery/store}/node*',
      'src/database/sqlite/**',
    ],
    rules: {
      'no-restricted-globals': ['error', ...injected],
      'no-restricted-syntax': ['error', namedExports, ...calls],
    },
  },
  {
    files: ['test/**', 'examples/*/test/**'],
    rules: {
      // No test is skipped or unfinished.
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
      // A test that meets an undefined value fails anyway.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['scripts/**', 'bench/**', 'chaos/**', 'examples/**'],
    rules: { 'no-console': 'off' },
  },
  {
    // JavaScript with types in comments. The content of JSON files is not checked.
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
