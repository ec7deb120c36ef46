package world

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Flags is a KV namespace. The API sees the newest value; a router may see any value of the last minute.
type Flags struct {
	mu     sync.Mutex
	values map[userdb.UserID][]flagVersion
}

type flagVersion struct {
	at   time.Time
	flag *userdb.Flag // nil: deleted
}

// NewFlags makes an empty namespace.
func NewFlags() *Flags { return &Flags{values: map[userdb.UserID][]flagVersion{}} }

func (f *Flags) add(u userdb.UserID, flag *userdb.Flag) {
	f.values[u] = append(f.values[u], flagVersion{time.Now(), flag})
}

func (f *Flags) newest(u userdb.UserID) *userdb.Flag {
	versions := f.values[u]
	if len(versions) == 0 {
		return nil
	}
	return versions[len(versions)-1].flag
}

// SeenAs says whether a location with a cache as old as age sees the user's flag.
func (f *Flags) SeenAs(u userdb.UserID, age time.Duration) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := false
	for _, version := range f.values[u] {
		if version.at.After(time.Now().Add(-min(age, kvWindow))) {
			break
		}
		seen = version.flag != nil
	}
	return seen
}

// List yields all flags of users with ids that begin with prefix, without values.
func (f *Flags) List(_ context.Context, prefix string, yield func([]userdb.Flag) error) error {
	f.mu.Lock()
	var flags []userdb.Flag
	for _, u := range slices.Sorted(maps.Keys(f.values)) {
		if flag := f.newest(u); flag != nil && strings.HasPrefix(string(u), prefix) {
			flags = append(flags, userdb.Flag{User: u, Meta: flag.Meta})
		}
	}
	f.mu.Unlock()
	return yield(flags)
}

// Get looks up users' flags.
func (f *Flags) Get(_ context.Context, users []userdb.UserID) (map[userdb.UserID]userdb.Flag, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := map[userdb.UserID]userdb.Flag{}
	for _, u := range users {
		if flag := f.newest(u); flag != nil {
			found[u] = *flag
		}
	}
	return found, nil
}

// Put writes flags.
func (f *Flags) Put(_ context.Context, flags []userdb.Flag) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, flag := range flags {
		if flag.Value == "" {
			flag.Value = userdb.FlagValue
		}
		f.add(flag.User, &flag)
	}
	return nil
}

// Delete removes flags.
func (f *Flags) Delete(_ context.Context, users []userdb.UserID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range users {
		f.add(u, nil)
	}
	return nil
}
