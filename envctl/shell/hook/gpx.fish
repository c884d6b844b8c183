# gpx for fish. In ~/.config/fish/config.fish:  gpx shell-init fish | source

# Take over what gpx left for this shell, and remove it.
function __gpx_take
	set -l __gpx_path $__gpx_file
	set -eg __gpx_file
	if test -s "$__gpx_path"
		source "$__gpx_path"
	end
	command rm -f -- "$__gpx_path"
end

function gpx
	set -l __gpx_status 0
	set -l __gpx_dir /tmp
	set -q TMPDIR; and test -n "$TMPDIR"; and set __gpx_dir $TMPDIR
	set -q XDG_RUNTIME_DIR; and test -n "$XDG_RUNTIME_DIR"; and set __gpx_dir $XDG_RUNTIME_DIR
	# mktemp makes the file readable by its user alone.
	if set -g __gpx_file (command mktemp "$__gpx_dir/gpx-shell.XXXXXXXX" 2>/dev/null)
		GPX_SHELL=fish GPX_SHELL_FILE=$__gpx_file command gpx $argv
		set __gpx_status $status
		__gpx_take
	else
		set -eg __gpx_file
		command gpx $argv
		set __gpx_status $status
	end
	return $__gpx_status
end

# Before each prompt: what an interrupted gpx left, and the end of a period.
# Without either this is two tests and no process.
function __gpx_prompt --on-event fish_prompt
	if set -q __gpx_file
		__gpx_take
	end
	set -l __gpx_dir "$HOME/.local/state"
	if string match -q '/*' -- "$XDG_STATE_HOME"
		set __gpx_dir $XDG_STATE_HOME
	end
	if test -f "$__gpx_dir/gpx/expiry"
		set -l __gpx_at
		read __gpx_at <"$__gpx_dir/gpx/expiry"
		if string match -qr '^[0-9]+$' -- "$__gpx_at"; and test "$__gpx_at" != "$__gpx_tried"
			if test (command date +%s) -ge $__gpx_at
				set -g __gpx_tried $__gpx_at # once a shell, also when it fails
				gpx changes --expire --quiet </dev/null
			end
		end
	end
end
