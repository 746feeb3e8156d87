/** Style that a program can check; the architecture test checks who imports whom. */
import { defineConfig } from 'eslint/config';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import tseslint from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

const typed = {
  // Numbers and booleans read well in messages.
  '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
  // Short arrow functions may return the nothing of the call that they make.
  '@typescript-eslint/no-confusing-void-expression': 'off',
  // Interfaces promise promises; an implementation may have nothing to wait for.
  '@typescript-eslint/require-await': 'off',
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
  '@typescript-eslint/consistent-type-imports': 'error',
  '@typescript-eslint/no-import-type-side-effects': 'error',
  // Families of functions that differ by a name in a map read better with their own type parameter.
  '@typescript-eslint/no-unnecessary-type-parameters': 'off',
  // The contract's empty replies.
  '@typescript-eslint/no-generated-empty-object-type': 'off',
  // Rules of operations are records of functions that never use `this`.
  '@typescript-eslint/unbound-method': 'off',
  '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
};

const plain = {
  eqeqeq: 'error',
  'no-console': ['error', { allow: ['error'] }],
  'no-eval': 'error',
  'prefer-const': 'error',
  'no-restricted-syntax': ['error', { selector: 'ExportDefaultDeclaration', message: 'Exports have names.' }],
};

export default defineConfig(
  { ignores: ['node_modules/', 'out/', 'dist/', 'test-results/', 'coverage/', 'renderer/text/generated/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error', noInlineConfig: true } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      globals: globals.node,
      parserOptions: { project: ['./tsconfig.json', './tsconfig.page.json'], tsconfigRootDir: import.meta.dirname },
    },
    rules: { ...plain, ...typed },
  },
  {
    files: ['**/*.svelte'],
    extends: [tseslint.configs.strict, svelte.configs.recommended],
    languageOptions: {
      globals: globals.browser,
      parserOptions: { parser: tseslint.parser, extraFileExtensions: ['.svelte'], svelteConfig },
    },
    // Svelte's own rule knows that bindable properties are taken with `let`.
    rules: { ...plain, 'prefer-const': 'off', 'svelte/prefer-const': 'error', '@typescript-eslint/consistent-type-imports': 'error' },
  },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    languageOptions: { globals: globals.node },
    rules: { eqeqeq: 'error', 'prefer-const': 'error', 'no-undef': 'error', 'no-unused-vars': 'error' },
  },
  {
    // Configuration files are loaded by their default export.
    files: ['*.config.ts', '*.config.js'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);
