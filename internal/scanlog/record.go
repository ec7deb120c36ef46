package scanlog

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"
)

// Keep is how long scans are remembered.
const Keep = 400 * 24 * time.Hour

// Sizes yields the files that a scan found in R2, in the order of the users' bytes.
type Sizes func(yield func(user string, bytes int64) error) error

// SizesOf are those of a map.
func SizesOf(sizes map[string]int64) Sizes {
	return func(yield func(string, int64) error) error {
		for _, user := range slices.Sorted(maps.Keys(sizes)) {
			if err := yield(user, sizes[user]); err != nil {
				return err
			}
		}
		return nil
	}
}

// Record adds a scan: sizes are of the files that it found in R2. A scan with a Run that is in the history
// already changes nothing, so that a repetition after a lost answer does no harm. Scans older than Keep are
// forgotten.
func (h *History) Record(ctx context.Context, scan Scan, sizes Sizes) error {
	err := h.inTx(ctx, func(tx *sql.Tx) error {
		added, err := tx.ExecContext(
			ctx,
			"INSERT INTO scans (run, at, prefix, users, bytes) VALUES (?, ?, ?, 0, 0) ON CONFLICT (run) DO NOTHING",
			scan.Run,
			scan.At.UnixMilli(),
			scan.Prefix,
		)
		if err != nil {
			return err
		}
		if n, err := added.RowsAffected(); n == 0 {
			return err
		}
		id, err := added.LastInsertId()
		if err != nil {
			return err
		}
		if err := addSteps(ctx, tx, id, scan.Prefix, sizes); err != nil {
			return err
		}
		return forget(ctx, tx, scan.At.Add(-Keep))
	})
	if err != nil {
		return h.fail("write", err)
	}
	return nil
}

// Forget removes every trace of users. What was removed is overwritten in the file, too.
func (h *History) Forget(ctx context.Context, users []string) error {
	if _, err := h.db.ExecContext(ctx, "PRAGMA secure_delete=1"); err != nil {
		return h.fail("write", err)
	}
	err := h.inTx(ctx, func(tx *sql.Tx) error {
		for _, user := range users {
			if _, err := tx.ExecContext(ctx, "DELETE FROM steps WHERE user = ?", user); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return h.fail("write", err)
	}
	return nil
}

// addSteps stores what changed since the last known step of each user, and the totals. Found and known users
// are walked side by side, so that memory does not grow with them.
func addSteps(ctx context.Context, tx *sql.Tx, scan int64, prefix string, sizes Sizes) error {
	insert, err := tx.PrepareContext(ctx, "INSERT INTO steps (user, scan, bytes) VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	known, users, total := &lastSteps{tx: tx}, 0, int64(0)
	gone := func() error {
		if !known.bytes.Valid || !strings.HasPrefix(known.user, prefix) {
			return nil
		}
		_, err := insert.ExecContext(ctx, known.user, scan, nil)
		return err
	}
	more, err := known.next(ctx)
	if err != nil {
		return err
	}
	err = sizes(func(user string, n int64) error {
		users, total = users+1, total+n
		for more && known.user < user {
			if err := gone(); err != nil {
				return err
			}
			if more, err = known.next(ctx); err != nil {
				return err
			}
		}
		same := more && known.user == user && known.bytes.Valid && known.bytes.Int64 == n
		if more && known.user == user {
			if more, err = known.next(ctx); err != nil {
				return err
			}
		}
		if same {
			return nil
		}
		_, err := insert.ExecContext(ctx, user, scan, n)
		return err
	})
	for err == nil && more {
		if err = gone(); err == nil {
			more, err = known.next(ctx)
		}
	}
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE scans SET users = ?, bytes = ? WHERE id = ?", users, total, scan)
	return err
}

// lastSteps walks through the last step of each user, in the order of their bytes. It reads ahead, so what is
// inserted for users up to the present one is not met.
type lastSteps struct {
	tx    *sql.Tx
	user  string
	bytes sql.NullInt64

	ahead []lastStep
	ended bool
}

type lastStep struct {
	user  string
	bytes sql.NullInt64
}

// stepsAhead is how many users are read at once.
const stepsAhead = 1000

func (l *lastSteps) next(ctx context.Context) (more bool, err error) {
	if len(l.ahead) == 0 && !l.ended {
		if err := l.read(ctx); err != nil {
			return false, err
		}
	}
	if len(l.ahead) == 0 {
		return false, nil
	}
	l.user, l.bytes, l.ahead = l.ahead[0].user, l.ahead[0].bytes, l.ahead[1:]
	return true, nil
}

func (l *lastSteps) read(ctx context.Context) error {
	// SQLite takes bytes from the row that holds the maximum (sqlite.org/lang_select.html, "bare columns").
	rows, err := l.tx.QueryContext(
		ctx,
		"SELECT user, bytes, max(scan) FROM steps WHERE user > ? GROUP BY user ORDER BY user LIMIT ?",
		l.user,
		stepsAhead,
	)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var one lastStep
		var scan int64
		if err := rows.Scan(&one.user, &one.bytes, &scan); err != nil {
			return err
		}
		l.ahead = append(l.ahead, one)
	}
	l.ended = len(l.ahead) < stepsAhead
	return rows.Err()
}

// forget removes scans before a time, and the steps that no later scan needs: the last step at or before the
// first kept scan stays.
func forget(ctx context.Context, tx *sql.Tx, before time.Time) error {
	gone, err := tx.ExecContext(ctx, "DELETE FROM scans WHERE at < ?", before.UnixMilli())
	if err != nil {
		return err
	}
	if n, err := gone.RowsAffected(); n == 0 || err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM steps WHERE scan < (SELECT max(s.scan) FROM steps AS s
		WHERE s.user = steps.user AND s.scan <= (SELECT min(id) FROM scans))`)
	return err
}
