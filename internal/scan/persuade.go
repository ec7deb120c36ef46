package scan

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/cost"
	"github.com/dbmigrate/dbmigrate/internal/htmlreport"
	"github.com/dbmigrate/dbmigrate/internal/latency"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Recommendation is what to do, in a sentence.
func (r *Report) Recommendation() string {
	t, moving := &r.Totals, r.moving.users
	switch {
	case t.Users == 0:
		return "There is nobody to move: this scan found no user."
	case moving.Count == 0 && t.Migrate > 0:
		return fmt.Sprintf("Move nobody yet: %s should move, and cannot before the cause below is gone.", units.Plural(t.Migrate, "user"))
	case moving.Count == 0 && t.Migrated > 0 && t.Largest == 0:
		return "There is nobody left to move: every user is in a Durable Object."
	case moving.Count == 0:
		return fmt.Sprintf("Move nobody yet: the largest file in R2 has %s, and moving is recommended from %s.",
			units.FormatSize(t.Largest), units.FormatSize(t.Threshold))
	}
	mean := moving.Bytes / int64(moving.Count)
	text := fmt.Sprintf("Move %s of %s now: an average write of theirs takes %s today and %s in a Durable Object, for %s once",
		units.FormatInteger(int64(moving.Count)), units.Plural(t.Users, "user"),
		formatTime(r.before(mean, true)), formatTime(r.after(true)),
		orLittle(r.Cost.Once, cost.FormatRange))
	if r.Cost.Monthly != nil {
		text += " and " + orLittle(*r.Cost.Monthly, cost.FormatChanges) + " a month"
	}
	return text + "."
}

// orLittle names no fractions of a cent, which nobody decides by. Which way they go is told all the same.
func orLittle(amounts [2]float64, format func(low, high float64) string) string {
	const little = "less than $0.01"
	low, high := min(amounts[0], amounts[1]), max(amounts[0], amounts[1])
	switch {
	case low <= -0.01 || high >= 0.01 || low == 0 && high == 0:
		return format(amounts[0], amounts[1])
	case high <= 0:
		return "a saving of " + little
	case low < 0:
		return "a change of " + little
	}
	return little
}

// enough is how many requests of a kind have to be observed before they say more than the model.
const enough = 20

// before is how long a request on a file of that size takes today: as observed, or else by the model.
func (r *Report) before(bytes int64, writes bool) time.Duration {
	if o := r.requests; o != nil {
		class := 0
		for class < len(o.Borders) && bytes >= o.Borders[class] {
			class++
		}
		if times := o.Classes[class].Of(writes); times.Count >= enough {
			return times.Quantile(0.5)
		}
	}
	return latency.Bench.Before(bytes, writes)
}

// after is how long it takes in a Durable Object.
func (r *Report) after(writes bool) time.Duration {
	if o := r.requests; o != nil && o.Store.Of(writes).Count >= enough {
		return o.Store.Of(writes).Quantile(0.5)
	}
	return latency.Bench.After(writes)
}

// times are the times of requests by file size.
func (r *Report) times() htmlreport.Times {
	times, longest := htmlreport.Times{Basis: r.basis()}, time.Duration(1)
	type pair struct{ today, after time.Duration }
	var pairs [][2]pair
	for class, users := range r.picture.classUsers {
		if users == 0 {
			continue
		}
		mean := r.picture.classBytes[class] / int64(users)
		both := [2]pair{{r.before(mean, false), r.after(false)}, {r.before(mean, true), r.after(true)}}
		longest = max(longest, both[0].today, both[1].today, both[0].after, both[1].after)
		pairs = append(pairs, both)
		times.Classes = append(times.Classes, htmlreport.TimeClass{
			Label: classLabel(r.picture.borders, class),
			Users: fmt.Sprintf("%s, %s on average", units.Plural(users, "user"), units.FormatSize(mean)),
		})
	}
	for i, both := range pairs {
		for kind, what := range []string{"a read:", "a write:"} {
			p := both[kind]
			times.Classes[i].Rows = append(times.Classes[i].Rows, htmlreport.TimeRow{
				What: what, Today: formatTime(p.today), After: formatTime(p.after), Times: faster(p.today, p.after),
				TodayShare: float64(p.today) / float64(longest), AfterShare: float64(p.after) / float64(longest),
			})
		}
	}
	times.Longest = formatTime(longest)
	return times
}

// basis says where the times come from.
func (r *Report) basis() string {
	model := "by the model of dbmigrate's benchmark, with R2 on the same disk; in production each call of R2 crosses a network, too"
	if r.requests == nil {
		return "Every request loads the whole file, and a write saves it. Times are " + model + ". --requests FILE takes those that your router observed."
	}
	return fmt.Sprintf("Medians of the %s that your router observed. Where fewer than %d of a kind were, they are %s.",
		plural(r.requests.Requests, "request"), enough, model)
}

// loads are megabytes and collisions.
func (r *Report) loads() []htmlreport.Fact {
	moving := r.moving.users
	if moving.Count == 0 {
		return nil
	}
	mean := moving.Bytes / int64(moving.Count)
	facts := []htmlreport.Fact{{
		Name: "Each request loads", Value: units.FormatSize(mean),
		Note: fmt.Sprintf("on average of those who should move, and %s of the largest. After the move it loads nothing.", units.FormatSize(r.Totals.Largest)),
	}}
	if o := r.requests; o != nil && o.File.Count() > 0 {
		facts = append(facts, htmlreport.Fact{Name: "As observed", Value: units.FormatSize(o.File.Bytes / o.File.Count()),
			Note: fmt.Sprintf("a request, %s in all, by %s on files", units.FormatSize(o.File.Bytes), plural(o.File.Count(), "request"))})
	}
	if t := r.traffic; t != nil {
		facts = append(facts, htmlreport.Fact{Name: "Loaded a day", Value: units.FormatSize(int64(float64(moving.Bytes) * t.RequestsPerDay)),
			Note: fmt.Sprintf("by %g requests of each user who should move", t.RequestsPerDay)})
	}
	return append(facts, r.collisions(mean))
}

// collisions are writes of one user that meet each other: on a file one of them is done again.
func (r *Report) collisions(mean int64) htmlreport.Fact {
	fact := htmlreport.Fact{Name: "Collisions"}
	write := r.before(mean, true)
	switch o, t := r.requests, r.traffic; {
	case o != nil && o.Writes >= enough:
		fact.Value = fmt.Sprintf("%s of writes", percent(float64(o.Collided)/float64(o.Writes)))
		fact.Note = fmt.Sprintf("%s of %s on files met another writer, and loaded and saved the file again. In a Durable Object writes go one after the other.",
			units.FormatInteger(o.Collided), plural(o.Writes, "write"))
	case t != nil && t.WritesShare > 0:
		each := t.RequestsPerDay * t.WritesShare / (24 * time.Hour).Seconds()
		fact.Value = "under 0.01 % of writes"
		if share := 1 - math.Exp(-each*write.Seconds()); share >= 0.0001 {
			fact.Value = "about " + percent(share) + " of writes"
		}
		fact.Note = fmt.Sprintf("if writes come at any time of the day: the file is busy for %s, and who comes meanwhile loads and saves it again. In a Durable Object writes go one after the other.", formatTime(write))
	default:
		fact.Value = fmt.Sprintf("within %s", formatTime(write))
		fact.Note = "of a write, a second write of the same user loads and saves the file again. In a Durable Object writes go one after the other. --requests FILE, or --requests-per-day and --writes-share, say how often that is."
	}
	return fact
}

// benefits stand next to the costs.
func (r *Report) benefits() []htmlreport.Fact {
	moving := r.moving.users
	if moving.Count == 0 {
		return nil
	}
	mean := moving.Bytes / int64(moving.Count)
	facts := []htmlreport.Fact{{Name: "For", Value: units.Plural(moving.Count, "user"), Note: units.FormatSize(moving.Bytes) + " in all"}}
	for kind, name := range []string{"A read", "A write"} {
		today, after := r.before(mean, kind == 1), r.after(kind == 1)
		facts = append(facts, htmlreport.Fact{Name: name, Value: formatTime(today) + " to " + formatTime(after), Note: faster(today, after)})
	}
	facts = append(facts, htmlreport.Fact{Name: "Loaded a request", Value: units.FormatSize(mean) + " to nothing"})
	if t := r.traffic; t != nil {
		requests := float64(moving.Count) * t.RequestsPerDay
		saved := requests * ((1-t.WritesShare)*(r.before(mean, false)-r.after(false)).Seconds() + t.WritesShare*(r.before(mean, true)-r.after(true)).Seconds())
		if saved > 0 {
			facts = append(facts, htmlreport.Fact{Name: "Less waiting", Value: units.FormatDuration(time.Duration(saved*float64(time.Second))) + " a day",
				Note: fmt.Sprintf("of all these users together, at %g requests a day each", t.RequestsPerDay)})
		}
	}
	return facts
}

// plural has large numbers in groups of three.
func plural(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return units.FormatInteger(n) + " " + noun
}

// formatTime is for milliseconds: a request is seldom longer.
func formatTime(d time.Duration) string {
	switch ms := float64(d) / float64(time.Millisecond); {
	case ms < 9.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 99_950:
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return units.FormatDuration(d)
}

// faster compares two times.
func faster(today, after time.Duration) string {
	if after <= 0 || today <= 0 {
		return "too fast to compare"
	}
	ratio := float64(today) / float64(after)
	switch {
	case ratio >= 10:
		return fmt.Sprintf("%.0f times faster", ratio)
	case ratio >= 1.05:
		return fmt.Sprintf("%.1f times faster", ratio)
	case ratio > 0.95:
		return "as fast"
	}
	return fmt.Sprintf("%.1f times slower", 1/ratio)
}

// blockedFor are users who cannot move for one reason.
type blockedFor struct {
	code  string
	users int
	bytes int64
	first userdb.UserID // the largest
	most  int64
	what  sqlitefile.Problem
}

// block counts a user who cannot move under the gravest reason.
func (p *picture) block(u *User) {
	problem := sqlitefile.Problem{Code: "other", Detail: u.Blocked[0]}
	if len(u.Reasons) > 0 {
		problem = u.Reasons[0]
	}
	code := string(problem.Code)
	if p.reasons == nil {
		p.reasons = map[string]*blockedFor{}
	}
	b := p.reasons[code]
	if b == nil {
		b = &blockedFor{code: code, most: -1}
		p.reasons[code] = b
	}
	b.users++
	b.bytes += u.Bytes
	if u.Bytes > b.most {
		b.first, b.most, b.what = u.User, u.Bytes, problem
	}
}

// reasonTable has the most frequent reason first.
func (r *Report) reasonTable() htmlreport.Table {
	var reasons []*blockedFor
	for _, b := range r.picture.reasons {
		reasons = append(reasons, b)
	}
	slices.SortFunc(reasons, func(a, b *blockedFor) int {
		return cmp.Or(cmp.Compare(b.users, a.users), cmp.Compare(a.code, b.code))
	})
	table := htmlreport.Table{Heads: []string{"Reason", "Users", "For example", "What is wrong", "Way out"}}
	for _, b := range reasons {
		table.Rows = append(table.Rows, []string{
			b.code, fmt.Sprintf("%d, %s", b.users, units.FormatSize(b.bytes)), string(b.first), b.what.Detail, b.what.Fix,
		})
	}
	return dropEmptyColumns(table)
}
