/** `sm-arbiter --check` on a database with every kind of arbiter, as an operator calls it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrate } from '../../../src/shell/store/schema.ts';
import { BMC_MISSING, type Bmc, startBmc } from '../../support/bmc.ts';
import { ETCD_MISSING, Etcd } from '../../support/etcd.ts';
import { ROOT } from '../../tidy/project.ts';

const MISSING = ETCD_MISSING || BMC_MISSING;
const MAY_INSTALL = process.geteuid?.() === 0;
if (MISSING && !MAY_INSTALL) console.warn('etcd, ipmi_sim or fence agents are missing: a test is left out');

describe.runIf(!MISSING || MAY_INSTALL)('sm-arbiter --check', () => {
  let folder: string;
  let etcd: Etcd;
  let bmc: Bmc;
  beforeAll(async () => {
    if (MISSING)
      throw new Error('run make setup, or apt-get install etcd-server openipmi ipmitool fence-agents');
    folder = mkdtempSync(join(tmpdir(), 'sm-check-'));
    etcd = await Etcd.start();
    bmc = await startBmc();
    mkdirSync(join(folder, 'secrets'));
    writeFileSync(join(folder, 'secrets', 'bmc-1'), 'bmc-secret\n', { mode: 0o600 });
    writeFileSync(
      join(folder, 'sm.yaml'),
      `node: controller-0\ndatabase: ${folder}/sm.db\nsecretsDirectory: ${folder}/secrets\n`,
    );
    const database = new Database(join(folder, 'sm.db'));
    migrate(database);
    database.exec(`
      INSERT INTO SERVICE_DOMAINS (NAME) VALUES ('controller');
      INSERT INTO SM_DOMAIN_NODES VALUES ('controller', 'controller-0', 0), ('controller', 'controller-1', 1);
      INSERT INTO SM_ETCD (SERVICE_DOMAIN, ENDPOINTS) VALUES ('controller', '${etcd.urls[0]}');
      INSERT INTO SM_FENCE_DEVICES (SERVICE_DOMAIN, DEVICE_NAME, NODE_NAME, AGENT, PARAMETERS, SECRETS) VALUES
        ('controller', 'bmc-1', 'controller-1', 'fence_ipmilan',
         'ip=127.0.0.1,ipport=${bmc.port},username=admin,lanplus=1,cipher=3', 'password=bmc-1'),
        ('controller', 'bmc-0', 'controller-0', 'fence_ipmilan', 'ip=127.0.0.1,ipport=9', 'password=bmc-0');`);
    database.close();
  });
  afterAll(async () => {
    await bmc?.stop();
    await etcd?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const check = (...args: string[]) => {
    const program = [
      join(ROOT, 'src/bin/sm-arbiter.ts'),
      '--check',
      '--config',
      join(folder, 'sm.yaml'),
      ...args,
    ];
    const run = spawnSync(process.execPath, ['--import', 'tsx', ...program], { cwd: ROOT, encoding: 'utf8' });
    return { exit: run.status, out: run.stdout, err: run.stderr };
  };

  test('all are ready; then one is not, with what to do', () => {
    const good = check();
    expect(good.err).toBe('');
    expect(good).toMatchObject({
      exit: 0,
      out: expect.stringMatching(/^record: ready, \d+ ms\nbmc-1: ready, \d+ ms\n$/),
    });
    writeFileSync(join(folder, 'secrets', 'bmc-1'), 'wrong\n');
    const bad = check('--json');
    expect(bad.exit).toBe(1);
    expect(JSON.parse(bad.out)).toMatchObject([
      { arbiter: 'record', ready: true },
      {
        arbiter: 'bmc-1',
        ready: false,
        cause: 'auth',
        reason: expect.stringContaining('correct user name, secret'),
      },
    ]);
  }, 60_000);
});
