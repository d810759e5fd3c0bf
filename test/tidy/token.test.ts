/**
 * Only `grant` in src/core/cluster/permission.ts makes tokens (docs/SAFETY.md, rule 1). The brand of a Token is a symbol
 * that no other module can name, so an object literal alone is refused by the compiler; what is left are the ways around
 * the compiler, and each is found here: assertions, `any`, copies by spread, generic casts, type predicates,
 * declarations without a value, and comments that switch the compiler off.
 */
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { at, isModule, ROOT, trackedPaths, walk } from './project.ts';

const TOKEN_MODULE = 'src/core/cluster/token.ts';
const GRANT_MODULE = 'src/core/cluster/permission.ts';
const BRAND = 'granted';
/** Types that one type may lead to. */
const TYPES_MAX = 20_000;
const ORDER_MODULE = 'src/core/service/run-effect.ts';
const ORDER_TYPE = { module: 'src/core/service/interface.ts', name: 'RunEffect' };
/** The compiler looks at every expression of the project: a busy machine needs its time. */
const WHOLE_PROJECT_MS_MAX = 180_000;
const MODULES = trackedPaths().filter(isModule);

/** A program of the project's modules, with some of them replaced or added in memory. */
function program(overlay: Readonly<Record<string, string>>): ts.Program {
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT);
  const host = ts.createCompilerHost(options, true);
  const texts = new Map(Object.entries(overlay).map(([path, text]) => [join(ROOT, path), text]));
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => texts.has(name) || fileExists(name);
  host.readFile = (name) => texts.get(name) ?? readFile(name);
  host.getSourceFile = (name, version, ...rest) => {
    const text = texts.get(name);
    return text === undefined
      ? getSourceFile(name, version, ...rest)
      : ts.createSourceFile(name, text, version, true);
  };
  const roots = [...MODULES.map((path) => join(ROOT, path)), ...texts.keys()];
  return ts.createProgram([...new Set(roots)], { ...options, noEmit: true }, host);
}

class TokenRule {
  readonly #program: ts.Program;
  readonly #checker: ts.TypeChecker;
  readonly #token: ts.Type;
  readonly #order: ts.Type;
  readonly #contains = new Map<ts.Type, boolean>();

  constructor(built: ts.Program) {
    this.#program = built;
    this.#checker = built.getTypeChecker();
    this.#token = this.#exported(TOKEN_MODULE, 'Token');
    this.#order = this.#exported(ORDER_TYPE.module, ORDER_TYPE.name);
  }

  #exported(module: string, name: string): ts.Type {
    const file = this.#program.getSourceFile(join(ROOT, module));
    const symbol = file === undefined ? undefined : this.#checker.getSymbolAtLocation(file);
    const exported = symbol === undefined ? [] : this.#checker.getExportsOfModule(symbol);
    const found = exported.find((candidate) => candidate.name === name);
    if (found === undefined)
      throw new Error(`${module} exports no ${name}: this test must be told where it went`);
    return this.#checker.getDeclaredTypeOfSymbol(found);
  }

  /** Problems of one file of the project, named from its root. */
  problemsOf(path: string): string[] {
    const file = this.#program.getSourceFile(join(ROOT, path));
    if (file === undefined) throw new Error(`${path} is not in the program`);
    const problems: string[] = [];
    const where = (node: ts.Node): string => at(file, node).slice(ROOT.length + 1);
    for (const match of file.text.matchAll(/@ts-(?:ignore|expect-error|nocheck)/g))
      problems.push(`${path}: ${match[0]} switches the compiler off`);
    if (path !== GRANT_MODULE)
      walk(file, (node) => {
        const what = this.#forgery(node);
        if (what !== null) problems.push(`${where(node)}: ${what}`);
      });
    return problems;
  }

  #forgery(node: ts.Node): string | null {
    const checker = this.#checker;
    if (ts.isAsExpression(node) || ts.isTypeAssertionExpression(node))
      return this.#holdsToken(checker.getTypeAtLocation(node)) &&
        !this.#sameToken(node.expression, checker.getTypeAtLocation(node))
        ? 'an assertion makes a Token'
        : null;
    if (ts.isObjectLiteralExpression(node)) return this.#literal(node);
    if (ts.isTypePredicateNode(node) && node.type !== undefined)
      return this.#holdsToken(checker.getTypeFromTypeNode(node.type))
        ? 'a type predicate declares a Token'
        : null;
    if (ts.isVariableDeclaration(node) || ts.isPropertyDeclaration(node)) return this.#declared(node);
    if (ts.isFunctionDeclaration(node) && node.body === undefined) return null;
    if (ts.isCallExpression(node)) return this.#call(node);
    if (ts.isExpression(node)) return this.#looseAny(node);
    return null;
  }

  #literal(node: ts.ObjectLiteralExpression): string | null {
    const type = this.#checker.getTypeAtLocation(node);
    if (this.#hasBrand(type)) return 'an object literal copies or makes a Token';
    const elsewhere = node.getSourceFile().fileName !== join(ROOT, ORDER_MODULE);
    return elsewhere && this.#checker.isTypeAssignableTo(type, this.#order)
      ? `an order to run a script is made outside ${ORDER_MODULE}`
      : null;
  }

  /** `declare const token: Token` and `token!: Token` promise a value that nobody granted. */
  #declared(node: ts.VariableDeclaration | ts.PropertyDeclaration): string | null {
    const ambient = (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Ambient) !== 0;
    if (!ambient && node.exclamationToken === undefined) return null;
    return this.#holdsToken(this.#checker.getTypeAtLocation(node))
      ? 'a declaration without a value is a Token'
      : null;
  }

  /** A copy with a brand (`Object.assign`), or a generic function whose result is a Token by the caller's wish only. */
  #call(node: ts.CallExpression): string | null {
    const type = this.#checker.getTypeAtLocation(node);
    if (type.isIntersection() && this.#hasBrand(type)) return 'a call mixes a Token with something else';
    const declaration = this.#checker.getResolvedSignature(node)?.getDeclaration();
    const own = declaration?.typeParameters?.map((parameter) => parameter.name.text) ?? [];
    if (declaration === undefined || own.length === 0 || !this.#holdsToken(type)) return this.#looseAny(node);
    const given = declaration.parameters.map((parameter) => parameter.type?.getText() ?? '').join(' ');
    const free = own.some(
      (name) =>
        new RegExp(`\\b${name}\\b`).test(declaration.type?.getText() ?? '') &&
        !new RegExp(`\\b${name}\\b`).test(given),
    );
    return free && this.#namesToken(node) ? 'a generic call casts to a Token' : null;
  }

  #namesToken(node: ts.CallExpression): boolean {
    return (node.typeArguments ?? []).some((argument) =>
      this.#holdsToken(this.#checker.getTypeFromTypeNode(argument)),
    );
  }

  /** A value of type any that is used where something with a Token is expected. */
  #looseAny(node: ts.Expression): string | null {
    if ((this.#checker.getTypeAtLocation(node).flags & ts.TypeFlags.Any) === 0) return null;
    const expected = this.#checker.getContextualType(node);
    return expected !== undefined && this.#holdsToken(expected)
      ? 'a value of type any is taken for a Token'
      : null;
  }

  /** Narrowing to what the value already is, or to some members of its union, forges nothing. */
  #sameToken(expression: ts.Expression, target: ts.Type): boolean {
    const source = this.#checker.getTypeAtLocation(expression);
    if ((source.flags & (ts.TypeFlags.Any | ts.TypeFlags.Never)) !== 0) return false;
    if (this.#checker.isTypeAssignableTo(source, target)) return true;
    const members = new Set(source.isUnion() ? source.types : [source]);
    return (target.isUnion() ? target.types : [target]).every(
      (member) => members.has(member) || !this.#holdsToken(member),
    );
  }

  #hasBrand(type: ts.Type): boolean {
    return type
      .getProperties()
      .some((property) => property.declarations?.some((declaration) => this.#isBrand(declaration)) ?? false);
  }

  #isBrand(declaration: ts.Declaration): boolean {
    return (
      declaration.getSourceFile().fileName === join(ROOT, TOKEN_MODULE) &&
      ts.isPropertySignature(declaration) &&
      declaration.name.getText() === `[${BRAND}]`
    );
  }

  /** The type is a Token, or one can be reached in it. Types of packages are not looked into. */
  #holdsToken(root: ts.Type): boolean {
    const known = this.#contains.get(root);
    if (known !== undefined) return known;
    const seen = new Set([root]);
    for (const type of seen) {
      if (type === this.#token || this.#hasBrand(type) || this.#contains.get(type) === true) {
        this.#contains.set(root, true);
        return true;
      }
      if (seen.size > TYPES_MAX) throw new Error('a type of the project has no end');
      for (const part of this.#parts(type)) if (this.#contains.get(part) !== false) seen.add(part);
    }
    for (const type of seen) this.#contains.set(type, false);
    return false;
  }

  #parts(type: ts.Type): readonly ts.Type[] {
    if (type.isUnionOrIntersection()) return type.types;
    if ((type.flags & ts.TypeFlags.Object) === 0) return [];
    const parts = [...this.#checker.getTypeArguments(type as ts.TypeReference)];
    parts.push(...type.getCallSignatures().map((signature) => signature.getReturnType()));
    for (const property of type.getProperties()) {
      const declaration = property.valueDeclaration ?? property.declarations?.[0];
      if (declaration === undefined || declaration.getSourceFile().fileName.includes('/node_modules/'))
        continue;
      if (ts.isPropertySignature(declaration) || ts.isPropertyDeclaration(declaration))
        parts.push(this.#checker.getTypeOfSymbol(property));
    }
    return parts;
  }
}

const FORGERIES: Readonly<Record<string, string>> = {
  assertion: 'export const t = { group: "g", activation: 1, deadline: 1 } as Token;',
  'assertion by unknown': 'export const t = {} as unknown as Token;',
  'assertion to something that holds a token':
    'export const t = { ok: true, token: {} } as unknown as { token: Token };',
  'assertion to an array': 'export const t = [] as unknown[] as Token[];',
  'angle brackets': 'export const t = <Token>({} as unknown);',
  'copy with a longer deadline':
    'export const t = (token: Token): Token => ({ ...token, deadline: Infinity });',
  'copy by Object.assign':
    'export const t = (token: Token): Token => Object.assign({}, token, { deadline: 1 });',
  any: 'export const t: Token = JSON.parse("{}");',
  'any in an effect': 'export const t = (x: any): { token: Token } => ({ token: x });',
  'any as a result': 'export function t(): Token { return JSON.parse("{}"); }',
  'generic cast': 'declare function cast<T>(x: unknown): T; export const t = cast<Token>({});',
  'type predicate': 'export const t = (x: unknown): x is Token => x !== null;',
  'cast of a function': 'export const t = (() => null) as unknown as () => Token;',
  'cast in a cycle of types':
    'interface A { readonly b: B; readonly token: Token } interface B { readonly a: A } export const first = {} as unknown as A; export const t = {} as unknown as B;',
  'order without a token': `${'import'} type { RunEffect } from './service/interface.ts'; export const t = (effect: RunEffect): RunEffect => ({ ...effect, token: null });`,
  'ambient value': 'declare const forged: Token; export const t = forged;',
  'value promised with !': 'export class Holder { token!: Token; }',
  'switched off': '// @ts-expect-error no brand\nexport const t: Token = {};',
};

const HONEST: Readonly<Record<string, string>> = {
  use: 'export const t = (token: Token): number => token.deadline;',
  keep: 'const kept = new Map<string, Token>(); export const t = (token: Token) => { kept.set("g", token); return kept.get("g"); };',
  'pass on': 'export const t = (token: Token) => ({ type: "run", token });',
  'pick from':
    'interface R { readonly token: Token } type E = R | { readonly b: 2 }; export const t = (all: E[]) => all[0] as R | undefined;',
  narrow: 'export const t = (x: { token: Token } | { token: null }) => x.token === null ? null : x.token;',
};

const fixturePath = (name: string): string => `src/core/fixture-${name.replace(/[^a-z]+/gi, '-')}.ts`;
const fixtures = Object.fromEntries(
  Object.entries({ ...FORGERIES, ...HONEST }).map(([name, text]) => [
    fixturePath(name),
    `import type { Token } from './cluster/token.ts';\n${text}\n`,
  ]),
);
const rule = new TokenRule(program(fixtures));

test.each(Object.keys(FORGERIES))('finds a token forged by %s', (name) => {
  expect(rule.problemsOf(fixturePath(name))).not.toEqual([]);
});

test.each(Object.keys(HONEST))('lets honest code %s tokens', (name) => {
  expect(rule.problemsOf(fixturePath(name))).toEqual([]);
});

test('both types of a cycle are seen to lead to a token', () => {
  expect(rule.problemsOf(fixturePath('cast in a cycle of types'))).toHaveLength(2);
});

test(
  'nothing in the project but the one grant function makes a token',
  () => {
    expect(MODULES.flatMap((path) => rule.problemsOf(path))).toEqual([]);
  },
  WHOLE_PROJECT_MS_MAX,
);

test('only the grant function asserts tokens, so the rule would see a second one there moved elsewhere', () => {
  const text = ts.sys.readFile(join(ROOT, GRANT_MODULE)) ?? '';
  expect(text.match(/as Token\b/g)?.length ?? 0).toBeGreaterThan(0);
  const moved = fixturePath('moved');
  const elsewhere = new TokenRule(
    program({ [moved]: text.replaceAll("'./token.ts'", "'./cluster/token.ts'").replaceAll("'../", "'./") }),
  );
  expect(elsewhere.problemsOf(moved)).not.toEqual([]);
});
