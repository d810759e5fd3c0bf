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

test('where the device listens is in the metadata of its agent', () => {
  const text =
    '<resource-agent name="x"><parameter name="ip"/><parameter name="ipport"><content type="integer" default="443"/></parameter><parameter name="plug"><content type="string" default="x"/></parameter></resource-agent>';
  const ports = [...(readMetadata(text)?.parameters ?? [])].map(([name, { port }]) => [name, port]);
  expect(ports).toEqual([
    ['ip', 0],
    ['ipport', 443],
    ['plug', 0],
  ]);
});
