/** Completion for bash, made from a command tree; zsh takes it over through its bashcompinit, and knows no mapfile. */
import { type ArgumentSpec, type CommandSpec, type OptionSpec, optionsOf } from '../../src/cli/command.ts';
import { COMPLETED } from '../../src/cli/complete.ts';
import { type Leaf, runnable } from '../../src/cli/reference.ts';

/** A file to be sourced. The static part is in it; only names of this node are asked for, from smctl. */
export function bashCompletion(program: CommandSpec): string {
  const leaves = runnable(program, []).map((leaf) => ({ ...leaf, words: leaf.words.slice(1) }));
  const name = `_${program.name.replaceAll('-', '_')}`;
  return `# bash completion for ${program.name}, made from its command tree
${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command= first= word offered= i
  local -i index=0
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$command/$word" in
${pathPatterns(leaves)
  .map((pattern) => `      ${pattern}) command="\${command:+$command }$word" && continue ;;`)
  .join('\n')}
    esac
    case $word in
      ${valueFlags(leaves).join(' | ')}) ((i++)) ;;
      -*) ;;
      *) index+=1 && first=\${first:-$word} ;;
    esac
  done
  case $previous in
${optionValues(leaves).join('\n')}
  esac
  if [[ $current == -* ]]; then
    case $command in
${leaves.map(({ words, command }) => `      '${words.join(' ')}') offered='${flagsOf(command).join(' ')}' ;;`).join('\n')}
    esac
  else
    case "$command/$index" in
${subcommands(leaves).concat(leaves.flatMap(argumentCases)).join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$offered" -- "$current"))
}
complete -F ${name} ${program.name}
`;
}

export function zshCompletion(program: CommandSpec, bashFile: string): string {
  return `#compdef ${program.name}
autoload -Uz bashcompinit && bashcompinit
source ${bashFile}
_bash_complete -F _${program.name.replaceAll('-', '_')}
`;
}

/** Every step from the program towards a command. */
function pathPatterns(leaves: readonly Leaf[]): string[] {
  const patterns = leaves.flatMap(({ words }) =>
    words.map((word, depth) => `'${words.slice(0, depth).join(' ')}/${word}'`),
  );
  return [...new Set(patterns)];
}

function subcommands(leaves: readonly Leaf[]): string[] {
  const below = new Map<string, Set<string>>();
  for (const { words } of leaves) {
    for (const [depth, word] of words.entries()) {
      const above = words.slice(0, depth).join(' ');
      below.set(above, (below.get(above) ?? new Set()).add(word));
    }
  }
  return [...below].map(([above, words]) => `      '${above}/0') offered='${[...words].join(' ')}' ;;`);
}

function argumentCases({ words, command }: Leaf): string[] {
  return (command.arguments ?? []).flatMap((argument, index) => {
    const action = offer(argument);
    const position = argument.syntax.includes('...') ? '*' : String(index);
    return action === null ? [] : [`      '${words.join(' ')}/'${position}) ${action} ;;`];
  });
}

function offer({ syntax, complete: declared }: ArgumentSpec): string | null {
  const complete: string | readonly string[] = declared ?? wordIn(syntax);
  if (typeof complete !== 'string') return `offered='${complete.join(' ')}'`;
  if (complete === 'path') return FILES;
  if (complete === 'named-before') return names('"$first"');
  return isCompleted(complete) ? names(complete) : null;
}

// zsh has no compopt.
const FILES = 'compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "$current")); return';
const names = (kind: string) => `offered=$(smctl __complete ${kind} 2>/dev/null)`;
const isCompleted = (word: string) => (COMPLETED as readonly string[]).includes(word);
const wordIn = (syntax: string) => syntax.replace(/[^a-z-]/g, '');

/** The long form, and the word that stands for its value. */
function partsOf({ flags }: OptionSpec): { flag: string; value: string | null } {
  const [flag = '', value = ''] = flags.replace(/^-\w, /, '').split(' ');
  return { flag, value: value.startsWith('<') ? wordIn(value) : null };
}

function flagsOf(command: CommandSpec): string[] {
  return [...optionsOf(command).map((option) => partsOf(option).flag), '--help'];
}

function options(leaves: readonly Leaf[]): Map<string, string> {
  const found = leaves.flatMap(({ command }) => optionsOf(command)).map(partsOf);
  return new Map(found.flatMap(({ flag, value }) => (value === null ? [] : [[flag, value] as const])));
}

function valueFlags(leaves: readonly Leaf[]): string[] {
  return [...options(leaves).keys()];
}

/** What may follow an option: files, names, or anything at all. */
function optionValues(leaves: readonly Leaf[]): string[] {
  return [...options(leaves)].map(([flag, value]) => {
    const kind = flag.slice(2);
    if (['path', 'file', 'set'].includes(value)) return `    ${flag}) ${FILES} ;;`;
    if (!isCompleted(kind)) return `    ${flag}) return ;;`;
    return `    ${flag}) COMPREPLY=($(compgen -W "$(smctl __complete ${kind} 2>/dev/null)" -- "$current")); return ;;`;
  });
}
