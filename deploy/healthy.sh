#!/bin/sh
# healthy.sh QUEUE: whether the worker of this container answers. Docker starts again what ends, not what is
# unhealthy: so a worker that has not answered three times in a row is ended here, at first kindly. Only silence
# counts, and only of a worker that was asked: one that its broker refuses, or cannot be reached from, goes on,
# for with a listener may go what nobody else has.
# For a container with `init: true`, whose first process is Docker's and whose worker is its only child.

failed=/tmp/unanswered

said=$(celery -A relayproject inspect ping --destination "$1@$HOSTNAME" 2>&1)
answered=$?
case $said in
	# Celery's exit code is the same if the broker refuses.
	*"No nodes replied"*) ;;
	*)
		rm -f "$failed"
		[ "$answered" = 0 ]
		exit
		;;
esac

echo >>"$failed"
if [ "$(wc -l <"$failed")" -ge 3 ] && grep -q docker-init /proc/1/cmdline; then
	rm -f "$failed"
	for process in /proc/[0-9]*; do
		# The fourth word is the parent. Names with a space in them are none of ours.
		if [ "$(cut -d ' ' -f 4 "$process/stat" 2>/dev/null)" = 1 ]; then
			worker=${process##*/}
			kill -TERM "$worker"
			sleep 12
			kill -KILL "$worker" 2>/dev/null
		fi
	done
fi
exit 1
