import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { invocation, parseParameters } from '../../../src/core/service/invocation.ts';
import { actionDefinition, serviceDefinition } from '../../support/local-definitions.ts';

function entries(text: string): unknown {
  const parsed = parseParameters(text);
  return parsed.ok ? Object.fromEntries(parsed.entries) : parsed.error;
}

describe('parameters', () => {
  it('lets a value hold commas', () => {
    expect(entries('a=1,b=x,y')).toEqual({ a: '1', b: 'x,y' });
    expect(entries('opts=rw,noatime,dev=/dev/x')).toEqual({ opts: 'rw,noatime', dev: '/dev/x' });
    expect(entries('a=,b= two words ')).toEqual({ a: '', b: ' two words ' });
  });

  it('ignores text without a name', () => {
    expect(entries('')).toEqual({});
    expect(entries('nothing')).toEqual({});
    expect(entries('nothing,a=1')).toEqual({ a: '1' });
  });

  it('refuses what can not be read, with the reason', () => {
    expect(entries('a=b=c')).toMatch(/can not hold "="/);
    expect(entries('=1')).toMatch(/without a name/);
    expect(entries('a=\0')).toMatch(/NUL/);
    expect(entries(`a=${'x'.repeat(1023)}`)).toMatch(/at most 1024/);
  });

  it('reads back whatever was written, and never throws', () => {
    const key = fc.stringMatching(/^[a-z_]{1,8}$/);
    const value = fc.stringMatching(/^[a-z,/ ]{0,12}$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 6 }),
        (list) => {
          const text = list.map(([name, content]) => `${name}=${content}`).join(',');
          expect(entries(text)).toEqual(Object.fromEntries(list));
        },
      ),
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 1100 }), (text) => {
        parseParameters(text);
      }),
    );
  });
});

describe('environment', () => {
  const ocf = (action: 'enable' | 'audit-enabled', instanceParameters = 'config=/etc/x') =>
    invocation(serviceDefinition('web', 'g', { type: 'ocf-script', instanceParameters }), {
      ...actionDefinition(action, 'ocf-script', 'nginx'),
      pluginParameters: 'notify=true',
    });

  it('is what an OCF agent expects', () => {
    const call = ocf('audit-enabled');
    expect(call).toEqual({
      ok: true,
      environment: {
        OCF_RA_VERSION_MAJOR: '1',
        OCF_RA_VERSION_MINOR: '1',
        OCF_ROOT: '/usr/lib/ocf',
        OCF_RESOURCE_INSTANCE: 'web',
        OCF_RESOURCE_TYPE: 'nginx',
        OCF_RESOURCE_PROVIDER: 'heartbeat',
        OCF_CHECK_LEVEL: '0',
        OCF_RESKEY_config: '/etc/x',
        OCF_RESKEY_CRM_meta_timeout: '10000',
        OCF_RESKEY_CRM_meta_interval: '10000',
        OCF_RESKEY_CRM_meta_notify: 'true',
        HA_LOGFACILITY: 'daemon',
      },
    });
  });

  it('has a check level for monitor only', () => {
    const level = (call: ReturnType<typeof ocf>) => (call.ok ? call.environment.OCF_CHECK_LEVEL : call.error);
    expect(level(ocf('enable'))).toBeUndefined();
    expect(level(ocf('audit-enabled', 'check_level=10'))).toBe('10');
  });

  it('passes parameters of LSB scripts plainly', () => {
    const service = serviceDefinition('ceph', 'g', { instanceParameters: 'ARGS=mon.controller' });
    const call = invocation(service, actionDefinition('enable', 'lsb-script', 'ceph'));
    expect(call).toEqual({
      ok: true,
      environment: { SYSTEMCTL_SKIP_REDIRECT: '1', ARGS: 'mon.controller' },
    });
  });

  it.each([
    'PATH',
    'LD_PRELOAD',
    'IFS',
    'ENV',
    'BASH_ENV',
    'PYTHONPATH',
    'a-b',
    '1x',
  ])('refuses an LSB parameter %s', (name) => {
    const service = serviceDefinition('s', 'g', { instanceParameters: `${name}=x` });
    const call = invocation(service, actionDefinition('enable', 'lsb-script', 's'));
    expect(call.ok).toBe(false);
  });

  it('names the service and the parameters that are wrong', () => {
    const call = ocf('enable', 'a=b=c');
    expect(call.ok ? '' : call.error).toMatch(/^instance parameters of web: /);
  });
});
