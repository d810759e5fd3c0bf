# zsh-offers.zsh FUNCTIONS OUT LINE
# What an interactive zsh offers at a TAB after LINE, one a line, into OUT, and END. FUNCTIONS: directory of completions.
zmodload zsh/zpty
export ZDOTDIR=${2:h}
cat >$ZDOTDIR/.zshrc <<RC
fpath=($1 \$fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
  # Calls that only look at matches come with an array for them.
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "\$@"; return; fi
  local -a found
  builtin compadd -A found "\$@"
  print -rl -- \$found >>$2
}
offer() { _main_complete; print END >>$2; exit }
zle -C offer complete-word offer
bindkey '^I' offer
RC
zpty shell zsh -d -i
zpty -w -n shell "$3"$'\t'
# Until it exits; what the terminal shows is of no interest, but shown when something fails.
while zpty -r shell line; do print -r -- $line; done
