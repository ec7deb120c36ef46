package scan

import (
	"cmp"
	"context"
	"errors"
	"os"

	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/spill"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// line is a user on the way through a scan. It has what the user's JSON has not, so that it can be put into a
// scratch file.
type line struct {
	User
	Marked bool `json:"marked,omitempty"`
	Over   int  `json:"over,omitempty"`
}

func lineOf(u User) line { return line{u, u.marked, u.over} }

func (l line) whole() User {
	u := l.User
	u.marked, u.over = l.Marked, l.Over
	return u
}

// bySize has the largest first, as a scan shows them.
func bySize(a, b line) int {
	return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.User.User, b.User.User))
}

// byName is the order of a history.
func byName(a, b line) int { return cmp.Compare(a.User.User, b.User.User) }

func (o *Options) sorter(compare func(a, b line) int) *spill.Sorter[line] {
	dir := func() (string, error) { return os.TempDir(), nil }
	if o.Scratch != nil {
		dir = o.Scratch.Path
	}
	return spill.New(dir, compare)
}

// atOnce is how many users are asked about together, so that memory does not grow with the fleet.
const atOnce = 1000

// look finds every user, and asks what the listing does not tell. The users come in the order of byName.
func (r *Report) look(ctx context.Context, e Engine, o *Options) (*spill.Sorter[line], error) {
	order := byName
	if o.Deep {
		order = bySize // large files are read first
	}
	found := o.sorter(order)
	var doubtful []User
	settle := func() error {
		err := nameForeign(ctx, doubtful, o)
		for i := range doubtful {
			err = cmp.Or(err, found.Add(lineOf(doubtful[i])))
		}
		doubtful = doubtful[:0]
		return err
	}
	opts := inspect.ScanOptions{Prefix: o.Prefix, Elsewhere: r.elsewhere.add, WithoutFlags: func(err error) {
		r.Totals.FlagsUnread = true
		selection.WarnUnread(o.Out, err)
	}}
	err := e.ScanEach(ctx, opts, func(f inspect.Found) error {
		u := advise(f, o.Threshold)
		if r.Totals.FlagsUnread && f.Place == inspect.PlaceObject {
			u.Advice, u.Reason = AdviceMigrated, "by its fence alone: the flags could not be read"
		}
		if !o.asksForeign(&u) {
			return found.Add(lineOf(u))
		}
		if doubtful = append(doubtful, u); len(doubtful) == atOnce {
			return settle()
		}
		return nil
	})
	if err = cmp.Or(err, settle()); err != nil || !o.Deep {
		return found, err
	}
	deep, err := lookDeep(ctx, e, found, o)
	return deep, errors.Join(err, found.Close())
}

// elsewhere counts objects that look like databases and are no user's.
type elsewhere struct {
	objects int
	first   userdb.ObjectKey // by name
}

func (e *elsewhere) add(key userdb.ObjectKey) {
	if e.objects++; e.first == "" || key < e.first {
		e.first = key
	}
}

// asksForeign says whether the user's Durable Object is asked about the mark in the file: of fenced files
// without a flag, and with Deep of all. A scan does without the Worker: then marks are what they seem.
func (o *Options) asksForeign(u *User) bool {
	return o.ForeignMark != nil && u.marked && (o.Deep || u.Place == inspect.PlaceObject && !u.Flagged)
}

// batches calls do for the users of a sorter, many at a time.
func batches(from *spill.Sorter[line], do func([]User) error) error {
	var batch []User
	err := from.Each(func(l line) error {
		if batch = append(batch, l.whole()); len(batch) < atOnce {
			return nil
		}
		err := do(batch)
		batch = batch[:0]
		return err
	})
	if err == nil && len(batch) > 0 {
		err = do(batch)
	}
	return err
}

// top are the first of many users in some order.
type top struct {
	before func(a, b *User) bool
	users  []User
	left   int // of those who did not fit
}

func (t *top) add(u *User) {
	at := len(t.users)
	for at > 0 && t.before(u, &t.users[at-1]) {
		at--
	}
	if len(t.users) == pageRows {
		t.left++
		if at == pageRows {
			return
		}
		t.users = t.users[:pageRows-1]
	}
	t.users = append(t.users, User{})
	copy(t.users[at+1:], t.users[at:])
	t.users[at] = *u
}

func larger(a, b *User) bool {
	return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.User, b.User)) < 0
}

func sooner(a, b *User) bool {
	return cmp.Or(cmp.Compare(*a.CrossesInDays, *b.CrossesInDays), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.User, b.User)) < 0
}

// picture is what the page shows of users.
type picture struct {
	borders                 []int64
	classUsers              []int
	classBytes              []int64
	moves, blocked, soonest top
	reasons                 map[string]*blockedFor
	read                    int // files that were read
}

func newPicture(threshold int64) picture {
	borders := bordersWith(threshold)
	return picture{
		borders:    borders,
		classUsers: make([]int, len(borders)+1),
		classBytes: make([]int64, len(borders)+1),
		moves:      top{before: larger},
		blocked:    top{before: larger},
		soonest:    top{before: sooner},
	}
}

func (p *picture) add(u *User) {
	if u.Cost != nil {
		p.moves.add(u)
	}
	if len(u.Blocked) > 0 {
		p.blocked.add(u)
		p.block(u)
	}
	if u.CrossesInDays != nil {
		p.soonest.add(u)
	}
	if u.Verdict != "" {
		p.read++
	}
	if u.Place != inspect.PlaceFile {
		return
	}
	class := 0
	for class < len(p.borders) && u.Bytes >= p.borders[class] {
		class++
	}
	p.classUsers[class]++
	p.classBytes[class] += u.Bytes
}
