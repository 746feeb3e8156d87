/** Chat templates that try to get out of the template: they get nothing, and nothing of the program is changed. */
import { expect, it } from 'vitest';
import { renderChat } from '../../main/engine/tokenizer/chat';

const MESSAGES = [{ role: 'user', content: 'Hello' }];
const OPTIONS = { bos: '<s>', eos: '</s>', addGenerationPrompt: true };

/** What the template wrote, or the refusal's message. */
function outcome(template: string): string {
  try {
    return renderChat(template, MESSAGES, OPTIONS);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

it.each([
  "{{ ''.constructor.constructor('return process.version')() }}",
  "{{ messages.constructor.constructor('return process.version')() }}",
  "{{ range.constructor('return process.version')() }}",
  "{{ raise_exception.constructor('return process.version')() }}",
  "{{ [].__proto__.constructor.constructor('return process.version')() }}",
  '{{ process.version }}{{ globalThis.process.version }}{{ this.process.version }}',
  "{{ require('node:process').version }}",
  "{{ ''.__class__.__mro__[1].__subclasses__() }}",
  "{% set x = namespace(constructor='a') %}{{ x.constructor.constructor('return process.version')() }}",
  "{% include '/etc/passwd' %}{% import '/etc/passwd' as p %}{{ p }}",
])('A template gets out of the template by no name of JavaScript or Python: %s', (template) => {
  const written = outcome(template);
  expect(written).not.toContain(process.version);
  expect(written).not.toContain('root:');
  expect(written).not.toMatch(/native code|<class/);
});

it.each([
  "{% set messages[0].__proto__.polluted = 'yes' %}",
  "{% set n = namespace() %}{% set n.__proto__.polluted = 'yes' %}",
  "{% set n = namespace(__proto__={'polluted': 'yes'}) %}{{ n.polluted }}",
])('A template changes no object of the program: %s', (template) => {
  outcome(template);
  expect('polluted' in {}).toBe(false);
});
