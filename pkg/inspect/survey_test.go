package inspect

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// someFlags are flags in the order of their users, as KV lists them.
type someFlags struct {
	Flags
	n    int
	user func(i int) userdb.UserID
	page int
}

func (f someFlags) List(_ context.Context, _ string, yield func([]userdb.Flag) error) error {
	for from := 0; from < f.n; from += f.page {
		var page []userdb.Flag
		for i := from; i < min(f.n, from+f.page); i++ {
			page = append(page, userdb.Flag{User: f.user(i), Meta: userdb.FlagMeta{Run: "run", Bytes: int64(i)}})
		}
		if err := yield(page); err != nil {
			return err
		}
	}
	return nil
}

// someFiles are users' folders or files in the order of their keys, as R2 lists them.
type someFiles struct {
	Files
	n    int
	key  func(i int) string
	page int
}

func (f someFiles) List(
	_ context.Context,
	_, _ string,
	yield func(objects []userdb.Object, folders []string) error,
) error {
	for from := 0; from < f.n; from += f.page {
		var objects []userdb.Object
		var folders []string
		for i := from; i < min(f.n, from+f.page); i++ {
			if key := f.key(i); strings.HasSuffix(key, "/") {
				folders = append(folders, key)
			} else {
				objects = append(objects, userdb.Object{Key: userdb.ObjectKey(key)})
			}
		}
		if err := yield(objects, folders); err != nil {
			return err
		}
	}
	return nil
}

func listOf(users []userdb.UserID, page int) someFlags {
	slices.Sort(users)
	return someFlags{n: len(users), user: func(i int) userdb.UserID { return users[i] }, page: page}
}

// TestSurveyJoinsFlagsAndListing holds the survey against sets, with ids that begin with one another: there
// the order of flags is not that of keys.
func TestSurveyJoinsFlagsAndListing(t *testing.T) {
	for _, template := range []string{"{user}/database.sqlite", "{user}.db", "db/{user}-file.db"} {
		layout, err := userdb.ParseLayout(template)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(200) {
			dice := rand.New(rand.NewPCG(seed, 1))
			var whole, split, listed []userdb.UserID
			for range 60 {
				u := userdb.UserID("a")
				for range dice.IntN(4) {
					u += userdb.UserID([]string{"a", "-", ".", "~", "0", "!"}[dice.IntN(6)])
				}
				for _, list := range []*[]userdb.UserID{&whole, &split, &listed} {
					if dice.IntN(3) == 0 && !slices.Contains(*list, u) {
						*list = append(*list, u)
					}
				}
			}
			var keys []string
			for _, u := range listed {
				key := string(layout.Key(u))
				if _, delimiter, plain := layout.ListPlan(); !plain {
					folder, _, _ := strings.Cut(key, delimiter)
					key = folder + delimiter
				}
				keys = append(keys, key)
			}
			slices.Sort(keys)
			page := 1 + dice.IntN(7)
			e := &Inspector{
				Layout:     layout,
				Flags:      listOf(whole, page),
				SplitFlags: listOf(split, page),
				Files:      someFiles{n: len(keys), key: func(i int) string { return keys[i] }, page: page},
			}
			var got, want []string
			unflagged, err := e.Survey(t.Context(), "", func(f FlaggedUser) error {
				got = append(got, fmt.Sprintf("%s split %v listed %v", f.User, f.Split, f.Listed))
				return nil
			})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			alone := 0
			for _, u := range listed {
				if !slices.Contains(whole, u) && !slices.Contains(split, u) {
					alone++
				}
			}
			for _, u := range slices.Concat(whole, split) {
				line := fmt.Sprintf("%s split %v listed %v", u, !slices.Contains(whole, u), slices.Contains(listed, u))
				if !slices.Contains(want, line) {
					want = append(want, line)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) || unflagged != alone {
				t.Fatalf("%s, seed %d: %d without a flag, want %d\n%q\n%q", template, seed, unflagged, alone, got, want)
			}
		}
	}
}

// TestSurveyRefusesADisorder: flags and files of a listing that is not in order would be taken for others.
func TestSurveyRefusesADisorder(t *testing.T) {
	layout, err := userdb.ParseLayout(userdb.DefaultLayout)
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"b/", "a/"}
	e := &Inspector{Layout: layout, Files: someFiles{n: 2, key: func(i int) string { return keys[i] }, page: 1}}
	_, err = e.Survey(t.Context(), "", func(FlaggedUser) error { return nil })
	if userdb.KindOf(err) != userdb.ProtocolError {
		t.Errorf("%v", err)
	}
}

// TestSurveyKeepsNobody: what is in memory does not grow with the fleet.
func TestSurveyKeepsNobody(t *testing.T) {
	layout, err := userdb.ParseLayout(userdb.DefaultLayout)
	if err != nil {
		t.Fatal(err)
	}
	heap := func(users int) (most uint64) {
		user := func(i int) userdb.UserID { return userdb.UserID(fmt.Sprintf("user-%09d", i)) }
		e := &Inspector{
			Layout: layout,
			Flags:  someFlags{n: users, user: user, page: 1000},
			Files:  someFiles{n: users, key: func(i int) string { return string(user(i)) + "/" }, page: 1000},
		}
		seen := 0
		unflagged, err := e.Survey(t.Context(), "", func(FlaggedUser) error {
			if seen++; seen%(users/4) == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
			return nil
		})
		if err != nil || seen != users || unflagged != 0 {
			t.Fatalf("%d seen, %d without a flag, %v", seen, unflagged, err)
		}
		return most
	}
	few, many := heap(10_000), heap(200_000)
	const forEach = 1 // byte
	if grown := int64(many) - int64(few); grown > 190_000*forEach+1<<20 {
		t.Errorf("190,000 users more take %d bytes more", grown)
	}
	t.Logf("heap: %d bytes with 10,000 users, %d with 200,000", few, cmp.Or(many, 0))
}
