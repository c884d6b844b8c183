# gpx for zsh. In ~/.zshrc:  eval "$(gpx shell-init zsh)"

zmodload -F zsh/datetime p:EPOCHSECONDS 2>/dev/null

# Take over what gpx left for this shell, and remove it.
function __gpx_take {
	local __gpx_path=$__gpx_file
	unset __gpx_file
	if [[ -s $__gpx_path ]]; then
		. "$__gpx_path"
	fi
	command rm -f -- "$__gpx_path"
}

function gpx {
	local __gpx_status=0
	if __gpx_file=$(umask 077 && command mktemp "${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}/gpx-shell.XXXXXXXX" 2>/dev/null); then
		GPX_SHELL=zsh GPX_SHELL_FILE=$__gpx_file command gpx "$@" || __gpx_status=$?
		__gpx_take
	else
		unset __gpx_file
		command gpx "$@" || __gpx_status=$?
	fi
	return $__gpx_status
}

# Before each prompt: what an interrupted gpx left, and the end of a period.
# Without either this is two tests and no process.
function __gpx_prompt {
	local __gpx_status=$? __gpx_dir=${HOME-}/.local/state __gpx_at __gpx_now
	if [[ -n ${__gpx_file-} ]]; then
		__gpx_take
	fi
	if [[ ${XDG_STATE_HOME-} == /* ]]; then
		__gpx_dir=$XDG_STATE_HOME
	fi
	if [[ -f $__gpx_dir/gpx/expiry ]] && read -r __gpx_at <"$__gpx_dir/gpx/expiry" && [[ $__gpx_at != "${__gpx_tried-}" ]]; then
		__gpx_now=${EPOCHSECONDS-}
		if [[ -z $__gpx_now ]]; then
			__gpx_now=$(command date +%s)
		fi
		if [[ $__gpx_at == <-> ]] && ((__gpx_now >= __gpx_at)); then
			typeset -g __gpx_tried=$__gpx_at # once a shell, also when it fails
			gpx changes --expire --quiet </dev/null
		fi
	fi
	return $__gpx_status
}

typeset -ga precmd_functions
if ((! ${precmd_functions[(I)__gpx_prompt]})); then
	precmd_functions+=(__gpx_prompt)
fi
