// Package history is the memory of gpx: one SQLite file, by default
// $XDG_STATE_HOME/gpx/history.db, mode 0600.
//
// It keeps what gpx changed (the [change.Journal]), its settings, the projects it
// was started in, and what it saw:
//
//	snapshots ─▶ Record ─┬─▶ samples ─▶ minutes ─▶ hours     Stats
//	   (of the process   ├─▶ frames ──╮
//	  that has the lease)└─▶ incidents┴─▶ Recording          replay, backtest, report
//
// It never keeps a secret, and it never stands in the way: a file that cannot be used
// is said in [Store.Notice], and the store goes on in memory.
//
//	missing            created
//	older schema       migrated, one numbered file of migrations/ after the other
//	newer schema       left alone; memory
//	not a database     set aside as history.db.damaged-TIME with its -wal and -shm; a new one
//	                   (history.db.lock keeps others from opening it meanwhile)
//	locked             what is seen waits for it; what is changed goes to a memory
//	read-only,
//	full disk          memory
package history
