import { expect, test } from 'vitest';
import { isSecretName, parametersIn } from '../../../src/core/kernel/secret-names.ts';

test.each([
  ...[
    'password',
    'passwd',
    'pass',
    'dbpass',
    'admin_password',
    'password2',
    'snmp_priv_passwd',
    'adminPassword',
  ],
  ...['psk', 'pwd', 'pw', 'bindpw', 'BINDPW', 'community', 'secret', 'client-secret', 'PASSWORD_SECRET'],
  ...[
    'apikey',
    'api_key',
    'api-key',
    'access_key',
    'key',
    'private_key',
    'auth_key',
    'ssl.key',
    'hexadecimal_kg',
  ],
  ...[
    'token',
    'access_token',
    'token_value',
    'password_hash',
    'credential',
    'credentials',
    'passphrase',
    'key_1',
  ],
  ...['db_pass_main', 'dbpassword_old', 'rootpass_b64', 'passwordHash', 'secretValue', 'tokens', 'secrets'],
  ...['secret_id', 'password_id', 'credentialsId', 'private', 'private_pem', 'community_string'],
  ...['snmp_auth', 'api_key_old', 'apiKeys', 'auth-key-b64'],
])('%s is a secret', (name) => expect(isSecretName(name)).toBe(true));

test.each([
  ...[
    'user',
    'ip',
    'auth',
    'key_id',
    'keysDirectory',
    'secretsDirectory',
    'password_script',
    'passwd_script',
  ],
  ...[
    'token_timeout',
    'identity_file',
    'passive',
    'compass_mode',
    'keyboard',
    'snmp_auth_prot',
    'cipher',
    '',
  ],
  ...['passwordFile', 'tokensFile', 'secret_name', 'privateKeyPath', 'passage', 'author', 'authKeyFile'],
])('%s is none', (name) => expect(isSecretName(name)).toBe(false));

test.each([
  [
    'a=1,b=2',
    [
      ['a', '1'],
      ['b', '2'],
    ],
  ],
  [
    'password=hunter1,rest,user=x',
    [
      ['password', 'hunter1,rest'],
      ['user', 'x'],
    ],
  ],
  [
    'password=abc==, user=x',
    [
      ['password', 'abc=='],
      [' user', 'x'],
    ],
  ],
  [
    'plain,a=1',
    [
      ['plain', null],
      ['a', '1'],
    ],
  ],
  ['', [['', null]]],
])('parameters in %s', (text, expected) => {
  const parts = parametersIn(text);
  expect(parts.map(({ name, value }) => [name, value])).toEqual(expected);
  expect(parts.map(({ name, value }) => (value === null ? name : `${name}=${value}`)).join(',')).toBe(text);
});
