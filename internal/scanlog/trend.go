package scanlog

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"
	"strings"
	"time"
)

// Window says which scans count.
type Window struct {
	// Apart is the least time between two scans that count; of those closer together the newest counts.
	Apart time.Duration
	// Back is how far back scans count, from the newest on.
	Back time.Duration
}

// mostScans bounds the scans of a window: a fleet's trend does not get better with more.
const mostScans = 100

const week = 7 * 24 * time.Hour

// leastSpan is the shortest time from which a growth is worked out. Less would turn an hour's uploads into a
// year's.
const leastSpan = 24 * time.Hour

// Point is a size at a time.
type Point struct {
	At    time.Time
	Bytes int64
}

// Trend is what the scans of a window say about one user, or about the whole bucket.
type Trend struct {
	// Points are the sizes, oldest first, of the newest unbroken row of scans that found the file in R2.
	Points []Point
}

// Over counts how many of the newest scans, in a row, found at least so many bytes.
func (t Trend) Over(threshold int64) int {
	n := 0
	for _, p := range slices.Backward(t.Points) {
		if p.Bytes < threshold {
			break
		}
		n++
	}
	return n
}

// PerWeek is the growth in bytes a week by the least squares through all points; false where they span less
// than a day.
func (t Trend) PerWeek() (float64, bool) {
	n := len(t.Points)
	if n < 2 || t.Points[n-1].At.Sub(t.Points[0].At) < leastSpan {
		return 0, false
	}
	var sx, sy, sxx, sxy float64
	for _, p := range t.Points {
		x, y := float64(p.At.Sub(t.Points[0].At))/float64(week), float64(p.Bytes)
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	slope := (float64(n)*sxy - sx*sy) / (float64(n)*sxx - sx*sx)
	return slope, !math.IsNaN(slope) && !math.IsInf(slope, 0)
}

// Crosses is when the newest size, growing on as PerWeek says, reaches the threshold; false when it is over
// already, does not grow, or would take longer than within.
func (t Trend) Crosses(threshold int64, within time.Duration) (time.Duration, bool) {
	perWeek, known := t.PerWeek()
	if !known || perWeek <= 0 {
		return 0, false
	}
	missing := float64(threshold - t.Points[len(t.Points)-1].Bytes)
	if missing <= 0 {
		return 0, false
	}
	after := missing / perWeek * float64(week)
	if after > float64(within) {
		return 0, false
	}
	return time.Duration(after), true
}

// counted is a scan that counts, with its row's id.
type counted struct {
	Scan
	id int64
}

// Trends calls yield for every user who was in R2 at some time, in the order of their names' bytes, with the
// scans that count.
func (h *History) Trends(ctx context.Context, w Window, yield func(user string, t Trend)) error {
	err := func() error {
		scans, err := h.counting(ctx, w, false)
		if err != nil {
			return err
		}
		rows, err := h.db.QueryContext(ctx, "SELECT user, scan, bytes FROM steps ORDER BY user, scan")
		if err != nil {
			return err
		}
		defer rows.Close()
		var user string
		var steps []step
		for rows.Next() {
			var next string
			var s step
			if err := rows.Scan(&next, &s.scan, &s.bytes); err != nil {
				return err
			}
			if next != user && len(steps) > 0 {
				yield(user, trendOf(user, steps, scans, w.Apart))
				steps = steps[:0]
			}
			user, steps = next, append(steps, s)
		}
		if len(steps) > 0 {
			yield(user, trendOf(user, steps, scans, w.Apart))
		}
		return rows.Err()
	}()
	if err != nil {
		return h.fail("read", err)
	}
	return nil
}

// Total is the trend of the whole bucket, from the scans that looked at all of it.
func (h *History) Total(ctx context.Context, w Window) (Trend, error) {
	scans, err := h.counting(ctx, w, true)
	if err != nil {
		return Trend{}, h.fail("read", err)
	}
	var t Trend
	for _, s := range scans {
		t.Points = append(t.Points, Point{s.At, s.Bytes})
	}
	return t, nil
}

type step struct {
	scan  int64
	bytes sql.NullInt64
}

// trendOf replays a user's steps over the scans that looked at this user, oldest first.
func trendOf(user string, steps []step, scans []counted, apart time.Duration) Trend {
	var t Trend
	next, size := 0, sql.NullInt64{}
	for _, s := range scans {
		for next < len(steps) && steps[next].scan <= s.id {
			size = steps[next].bytes
			next++
		}
		switch {
		case !strings.HasPrefix(user, s.Prefix):
		case !size.Valid:
			t.Points = t.Points[:0] // what comes after is another file
		default:
			t.Points = append(t.Points, Point{s.At, size.Int64})
		}
	}
	t.Points = thin(t.Points, apart)
	return t
}

// thin leaves out points that are too near to a newer one.
func thin(points []Point, apart time.Duration) []Point {
	kept := points[:0:0]
	for _, p := range slices.Backward(points) {
		if len(kept) == 0 || kept[len(kept)-1].At.Sub(p.At) >= apart {
			kept = append(kept, p)
		}
	}
	slices.Reverse(kept)
	return kept
}

// counting returns the scans that can count, oldest first: those of each prefix apart from one another. Where
// scans of different prefixes saw a user, trendOf thins them out again.
func (h *History) counting(ctx context.Context, w Window, wholeOnly bool) ([]counted, error) {
	rows, err := h.db.QueryContext(
		ctx,
		"SELECT id, run, at, prefix, users, bytes FROM scans ORDER BY at DESC, id DESC",
	)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var scans []counted
	last, newest := map[string]time.Time{}, time.Time{}
	for rows.Next() && len(scans) < mostScans {
		var s counted
		var at int64
		if err := rows.Scan(&s.id, &s.Run, &at, &s.Prefix, &s.Users, &s.Bytes); err != nil {
			return nil, err
		}
		s.At = time.UnixMilli(at)
		if newest.IsZero() {
			newest = s.At
		}
		if before, seen := last[s.Prefix]; seen && before.Sub(s.At) < w.Apart || newest.Sub(s.At) > w.Back ||
			wholeOnly && s.Prefix != "" {
			continue
		}
		last[s.Prefix] = s.At
		scans = append(scans, s)
	}
	slices.SortFunc(scans, func(a, b counted) int { return cmp.Compare(a.id, b.id) })
	return scans, rows.Err()
}
