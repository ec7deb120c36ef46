package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/spill"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/doclient"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/objects"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// usualClass is the class that docs/mount.md exports.
	usualClass = "UserDataStore"
	// named is how many objects or users a finding names, and doubted how many users are asked again.
	named, doubted = 5, 100

	checkNamespace = "object namespace"
	checkObjects   = "objects"
	checkOrphans   = "orphans"
	checkLost      = "lost objects"

	fixOrphans = "an application that deletes a user deletes both sides (docs/after.md); " +
		"is it another bucket or layout? `dbmigrate backup` and restore need the user's name"
	fixLost = "are these another Worker's objects? `dbmigrate status USER`, and the runbook: The Durable Object was set back"
)

// checkAllObjects lists the namespace's objects, and compares them with the users.
func checkAllObjects(ctx context.Context, c config.Config, o Options) []Finding {
	lister := objects.Lister{
		BaseURL:   cmp.Or(c.APIBaseURL, kv.DefaultBaseURL),
		AccountID: c.AccountID,
		Token:     c.APIToken.Reveal(),
		Around:    c.AroundOf(userdb.ServiceKV),
	}
	all, err := lister.Namespaces(ctx)
	if err != nil {
		return []Finding{failed(checkNamespace, err, "")}
	}
	one, finding := chooseNamespace(all, o.Objects)
	if one.ID == "" || !finding.OK {
		return []Finding{finding}
	}
	a := &audit{options: o, lister: lister, namespace: one.ID}
	if err := a.run(ctx, c); err != nil {
		return []Finding{finding, failed(checkObjects, err, "")}
	}
	return append([]Finding{finding}, a.findings()...)
}

// chooseNamespace takes the one that was named by its id or class, or the only one of the usual class. It
// guesses nothing.
func chooseNamespace(all []objects.Namespace, asked string) (objects.Namespace, Finding) {
	fits := func(n objects.Namespace) bool { return n.Class == usualClass }
	if asked != AnyNamespace {
		fits = func(n objects.Namespace) bool { return n.ID == asked || n.Class == asked }
	}
	var found []objects.Namespace
	var names []string
	for _, n := range all {
		if fits(n) {
			found = append(found, n)
		}
		names = append(names, fmt.Sprintf("%s (%s of %s)", n.ID, n.Class, n.Script))
	}
	f := Finding{Check: checkNamespace, Fix: "pass --objects=ID"}
	switch {
	case len(all) == 0:
		f.Detail, f.Fix = "the account has no namespace of Durable Objects", "is it another account? --account-id"
		return objects.Namespace{}, f
	case len(found) != 1:
		f.Detail = fmt.Sprintf("%d of the account's namespaces fit: %s", len(found), strings.Join(names, ", "))
		return objects.Namespace{}, f
	case !found[0].SQLite:
		f.Detail = fmt.Sprintf("%s of %s is not backed by SQLite", found[0].Class, found[0].Script)
		f.Fix = "declare the class with new_sqlite_classes (docs/mount.md); a class cannot be changed later"
		return found[0], f
	}
	return found[0], Finding{
		Check:  checkNamespace,
		OK:     true,
		Detail: fmt.Sprintf("%s of %s, backed by SQLite", found[0].Class, found[0].Script),
	}
}

// side says where an id was met: among the objects with data, the users, or the users with a flag.
type side struct {
	ID      string        `json:"id"`
	User    userdb.UserID `json:"user,omitempty"`
	Flagged bool          `json:"flagged,omitempty"`
}

// audit compares objects with users by their ids, sorted in scratch files: a fleet does not fit into memory.
type audit struct {
	options   Options
	lister    objects.Lister
	namespace string
	worker    *doclient.Client
	atOnce    int
	sides     *spill.Sorter[side]
	waiting   []side // users of unknown ids

	objects, withData, users, orphans, lost, forgotten int
	orphan                                             []string
	missing                                            []userdb.UserID // flagged, and no object has data
}

func (a *audit) run(ctx context.Context, c config.Config) error {
	var err error
	if a.worker, err = connect.Worker(c, a.options.Version, nil); err != nil {
		return err
	}
	hello, err := a.worker.Hello(ctx)
	if err != nil {
		return err
	}
	if a.atOnce = hello.IDs; a.atOnce < 1 {
		return userdb.UsageError("tell the ids of objects", "", "the Worker is an older one", "deploy this version of it first")
	}
	dir := a.options.Scratch
	if dir == nil {
		dir = func() (string, error) { return os.TempDir(), nil }
	}
	a.sides = spill.New(dir, func(a, b side) int { return cmp.Compare(a.ID, b.ID) })
	defer a.sides.Close()
	// The objects first: who comes into being meanwhile has no object in the list, and is no orphan.
	if err := a.lister.Each(ctx, a.namespace, a.addObjects); err != nil {
		return err
	}
	if err := a.addUsers(ctx, c); err != nil {
		return err
	}
	if err := a.compare(); err != nil {
		return err
	}
	return a.askMissing(ctx)
}

func (a *audit) addObjects(page []objects.Object) error {
	for _, o := range page {
		a.objects++
		if !o.HasData {
			continue
		}
		a.withData++
		if err := a.sides.Add(side{ID: strings.ToLower(o.ID)}); err != nil {
			return err
		}
	}
	return nil
}

// addUsers takes everybody with a file, or a folder for one, and everybody with a flag.
func (a *audit) addUsers(ctx context.Context, c config.Config) error {
	files, err := connect.R2(c, nil)
	if err != nil {
		return err
	}
	layout, err := userdb.ParseLayout(c.Layout)
	if err != nil {
		return err
	}
	add := func(u userdb.UserID, flagged bool) error { return a.addUser(ctx, side{User: u, Flagged: flagged}) }
	err = selection.EachNamed(ctx, files, layout, "", func(users []userdb.UserID) error {
		for _, u := range users {
			if err := add(u, false); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	flags, err := connect.KV(c, 0, nil)
	if err != nil {
		return err
	}
	for _, kind := range []*kv.Client{flags, flags.Split()} {
		err := kind.List(ctx, "", func(page []userdb.Flag) error {
			for _, f := range page {
				if err := add(f.User, true); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := a.tellIDs(ctx); err != nil {
		return err
	}
	return a.countForgotten(ctx, files)
}

func (a *audit) addUser(ctx context.Context, one side) error {
	a.waiting = append(a.waiting, one)
	if len(a.waiting) < a.atOnce {
		return nil
	}
	return a.tellIDs(ctx)
}

func (a *audit) tellIDs(ctx context.Context) error {
	if len(a.waiting) == 0 {
		return nil
	}
	names := make([]userdb.UserID, len(a.waiting))
	for i, one := range a.waiting {
		names[i] = one.User
	}
	ids, err := a.worker.ObjectIDs(ctx, names)
	if err != nil {
		return err
	}
	for i, id := range ids {
		a.waiting[i].ID = strings.ToLower(id)
		if err := a.sides.Add(a.waiting[i]); err != nil {
			return err
		}
	}
	a.waiting = a.waiting[:0]
	return nil
}

// countForgotten counts the receipts of deletions, which name nobody. Each left an object with its claim
// number.
func (a *audit) countForgotten(ctx context.Context, files *r2.Client) error {
	return files.List(ctx, string(migrate.DeletionFolder), "", func(page []userdb.Object, _ []string) error {
		a.forgotten += len(page)
		return nil
	})
}

// compare goes through the ids in order: all that is known of one id stands together.
func (a *audit) compare() error {
	var id string
	var data bool
	var user side
	settle := func() {
		switch {
		case id == "":
			return
		case data && user.User == "":
			a.orphans++
			if len(a.orphan) < named {
				a.orphan = append(a.orphan, id)
			}
		case !data && user.Flagged:
			a.lost++
			if len(a.missing) < doubted {
				a.missing = append(a.missing, user.User)
			}
		}
		if user.User != "" {
			a.users++
		}
	}
	err := a.sides.Each(func(one side) error {
		if one.ID != id {
			settle()
			id, data, user = one.ID, false, side{}
		}
		if one.User == "" {
			data = true
			return nil
		}
		user.User, user.Flagged = one.User, user.Flagged || one.Flagged
		return nil
	})
	settle()
	return err
}

// askMissing asks the objects of flagged users that were not listed: the listing may be behind.
func (a *audit) askMissing(ctx context.Context) error {
	var still []userdb.UserID
	for _, u := range a.missing {
		status, err := a.worker.Status(ctx, u)
		if err != nil {
			return err
		}
		if status.Phase == userdb.Empty {
			still = append(still, u)
		} else {
			a.lost--
		}
	}
	a.missing = still
	return nil
}

func (a *audit) findings() []Finding {
	list := []Finding{{
		Check: checkObjects,
		OK:    true,
		Detail: fmt.Sprintf("%s, %d of them with data; %s with a file or a flag",
			units.Plural(a.objects, "object"), a.withData, units.Plural(a.users, "user")),
	}}
	return append(list, a.orphansFound(), a.lostFound())
}

func (a *audit) orphansFound() Finding {
	switch {
	case a.orphans == 0:
		return Finding{Check: checkOrphans, OK: true, Detail: "every object with data is a user's"}
	case a.orphans <= a.forgotten:
		return Finding{Check: checkOrphans, OK: true, Detail: fmt.Sprintf(
			"%s without a user; forget deleted %s, and leaves of each an object with a claim number",
			units.Plural(a.orphans, "object"), units.Plural(a.forgotten, "user"))}
	}
	return Finding{Check: checkOrphans, Fix: fixOrphans, Detail: fmt.Sprintf(
		"found %s with data that no user of this bucket or these flags has (forget left %d): %s",
		units.Plural(a.orphans, "object"), a.forgotten, some(a.orphan, a.orphans))}
}

func (a *audit) lostFound() Finding {
	if a.lost == 0 {
		return Finding{Check: checkLost, OK: true, Detail: "every user with a flag has an object with data"}
	}
	var names []string
	for _, u := range a.missing[:min(named, len(a.missing))] {
		names = append(names, string(u))
	}
	slices.Sort(names)
	return Finding{Check: checkLost, Fix: fixLost, Detail: fmt.Sprintf(
		"found %s with a flag and without an object that has data: %s", units.Plural(a.lost, "user"), some(names, a.lost))}
}

// some names a few of many.
func some(names []string, all int) string {
	text := strings.Join(names, ", ")
	if all > len(names) {
		text += fmt.Sprintf(", %d more", all-len(names))
	}
	return text
}
