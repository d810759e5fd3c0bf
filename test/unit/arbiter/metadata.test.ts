import { expect, test } from 'vitest';
import { readMetadata } from '../../../src/shell/arbiter/agent-metadata.ts';

const agent = (text: string) => readMetadata(`<resource-agent name="x">${text}</resource-agent>`);

test('what is in a comment is not there, and one without an end hides the rest', () => {
  const found = agent(
    '<!-- <action name="on"/> --><action name="off"/><!-- --><action name="status"/><!-- <action name="x"/>',
  );
  expect([...(found?.actions ?? [])]).toEqual(['off', 'status']);
});

test('half a megabyte of beginnings of comments is no reason to stand still', () => {
  const started = performance.now();
  expect(agent('<!--'.repeat(130_000))).toBeNull();
  expect(performance.now() - started).toBeLessThan(2000);
});
