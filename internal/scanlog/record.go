package scanlog

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// Keep is how long scans are remembered.
const Keep = 400 * 24 * time.Hour

// Record adds a scan: sizes holds the files that it found in R2, by user. A scan with a Run that is in the
// history already changes nothing, so that a repetition after a lost answer does no harm. Scans older than
// Keep are forgotten.
func (h *History) Record(ctx context.Context, scan Scan, sizes map[string]int64) error {
	scan.Users, scan.Bytes = len(sizes), 0
	for _, n := range sizes {
		scan.Bytes += n
	}
	err := h.inTx(ctx, func(tx *sql.Tx) error {
		added, err := tx.ExecContext(
			ctx,
			"INSERT INTO scans (run, at, prefix, users, bytes) VALUES (?, ?, ?, ?, ?) ON CONFLICT (run) DO NOTHING",
			scan.Run,
			scan.At.UnixMilli(),
			scan.Prefix,
			scan.Users,
			scan.Bytes,
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

// addSteps stores what changed since the last known step of each user.
func addSteps(ctx context.Context, tx *sql.Tx, scan int64, prefix string, sizes map[string]int64) error {
	known, err := lastSteps(ctx, tx)
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO steps (user, scan, bytes) VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for user, n := range sizes {
		if last, seen := known[user]; seen && last.Valid && last.Int64 == n {
			continue
		}
		if _, err := insert.ExecContext(ctx, user, scan, n); err != nil {
			return err
		}
	}
	for user, last := range known {
		if _, found := sizes[user]; found || !last.Valid || !strings.HasPrefix(user, prefix) {
			continue
		}
		if _, err := insert.ExecContext(ctx, user, scan, nil); err != nil {
			return err
		}
	}
	return nil
}

func lastSteps(ctx context.Context, tx *sql.Tx) (map[string]sql.NullInt64, error) {
	// SQLite takes bytes from the row that holds the maximum (sqlite.org/lang_select.html, "bare columns").
	rows, err := tx.QueryContext(ctx, "SELECT user, bytes, max(scan) FROM steps GROUP BY user")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	last := map[string]sql.NullInt64{}
	for rows.Next() {
		var user string
		var n sql.NullInt64
		var scan int64
		if err := rows.Scan(&user, &n, &scan); err != nil {
			return nil, err
		}
		last[user] = n
	}
	return last, rows.Err()
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
