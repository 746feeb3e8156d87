import { describe, expect, test } from 'vitest';
import { renderChat } from '../../main/engine/tokenizer/chat';
import { loadTokenizerFromGguf } from '../../main/engine/tokenizer/gguf-tokenizer';
import { errorOf } from '../support/error-of';
import { vocabularyMetadata } from '../support/tokenizer-data';

describe('chat templates', () => {
  const messages = [{ role: 'user', content: 'Hello' }];
  const options = { bos: '<s>', eos: '</s>', addGenerationPrompt: true };

  test("renders the models' own templates", () => {
    const smollm = loadTokenizerFromGguf(vocabularyMetadata('smollm2')).chatTemplate ?? '';
    expect(renderChat(smollm, messages, options)).toBe(
      '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' +
        '<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n',
    );
    const phi = loadTokenizerFromGguf(vocabularyMetadata('phi3')).chatTemplate ?? '';
    expect(renderChat(phi, messages, options)).toBe('<s><|user|>\nHello<|end|>\n<|assistant|>\n');
  });

  test('says what a template refuses', () => {
    const template = "{% if messages[0]['role'] != 'system' %}{{ raise_exception('a system message must come first') }}{% endif %}";
    expect(errorOf(() => renderChat(template, messages, options)).message).toContain('a system message must come first');
  });

  test.each([
    ['that is no template', '{% if %}'],
    ['that counts without end', '{% for i in range(1000000000) %}x{% endfor %}'],
    ['that is too long', 'x'.repeat(300_000)],
    ['that loops in loops', `${'{% for i in range(60000) %}'.repeat(4)}x${'{% endfor %}'.repeat(4)}`],
    ['that loops over nothing', `${'{% for i in range(60000) %}'.repeat(3)}${'{% endfor %}'.repeat(3)}`],
    ['that doubles a text', `{% set n = namespace(t='xx') %}{% for i in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}{{ n.t }}`],
    ['that doubles a list', `{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = n.l + n.l %}{% endfor %}`],
    ['that nests lists', `{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l | tojson }}`],
    ['that holds itself', `{% set n = namespace(l=[1]) %}{% set n.l = n %}{{ n | tojson }}`],
    ['that calls itself', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'],
    ['that indents without end', "{{ 'a\nb' | indent(1000000000) }}"],
    ['of brackets only', `{{${'('.repeat(100_000)}`],
  ])('refuses one %s within seconds', (_what, template) => {
    const started = performance.now();
    expect(errorOf(() => renderChat(template, messages, options)).code).toBe('text');
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  test.each([
    ['a template that loops over its messages', '{% for m in messages %}{{ m.role }}:{{ m.content | trim }}\n{% endfor %}'],
  ])('renders a thousand long messages with %s', (_what, template) => {
    const many = Array.from({ length: 1000 }, (_, index) => ({ role: 'user', content: `${index} ${'word '.repeat(500)}` }));
    expect(renderChat(template, many, options).length).toBeGreaterThan(2_000_000);
  });
});
