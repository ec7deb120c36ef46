package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// member is one user to be: generated from a seed, or a file of the corpus.
type member struct {
	user  userdb.UserID
	seed  uint64
	bytes int64
	file  string
}

func plan(o options) ([]member, error) {
	random := rand.New(rand.NewPCG(o.seed, 0x666c656574))
	var members []member
	for i := range o.users {
		m := member{
			user:  userdb.UserID(fmt.Sprintf("user-%05d", i+1)),
			seed:  random.Uint64(),
			bytes: o.uniform,
		}
		if draw := logUniform(random, o.min, o.max); o.uniform == 0 {
			m.bytes = draw
		}
		members = append(members, m)
	}
	if o.corpus == "" {
		return members, nil
	}
	corpus, err := corpusMembers(o.corpus)
	return append(members, corpus...), err
}

func logUniform(random *rand.Rand, low, high int64) int64 {
	from, to := math.Log(float64(low)), math.Log(float64(high))
	return int64(math.Exp(from + random.Float64()*(to-from)))
}

// corpusMembers takes every SQLite file of the folder, a -wal left behind as it would be in R2.
func corpusMembers(dir string) ([]member, error) {
	var members []member
	for _, pattern := range []string{"*.sqlite", "*.sqlite3", "*.db", "*.gpkg", "*.sqldb"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("read corpus %s: %w", dir, err)
		}
		for _, file := range files {
			m, err := corpusMember(file)
			if err != nil {
				return nil, err
			}
			members = append(members, m)
		}
	}
	if len(members) == 0 {
		return nil, fmt.Errorf("read corpus %s: no SQLite file in it", dir)
	}
	return members, nil
}

func corpusMember(file string) (member, error) {
	info, err := os.Stat(file)
	if err != nil {
		return member{}, fmt.Errorf("read corpus: %w", err)
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	user, err := userdb.ParseUserID("corpus-" + name)
	return member{user: user, bytes: info.Size(), file: file}, err
}

// sizeInto reads "512", "20KB", "1.5MB" or "2GiB" into target.
func sizeInto(target *int64) func(string) error {
	return func(text string) error {
		size, err := parseSize(text)
		if err == nil {
			*target = size
		}
		return err
	}
}

var units = []struct {
	suffix string
	factor float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}

func parseSize(text string) (int64, error) {
	for _, unit := range units {
		number, ok := strings.CutSuffix(text, unit.suffix)
		if !ok {
			continue
		}
		value, err := strconv.ParseFloat(number, 64)
		if err != nil || !(value > 0) || value*unit.factor >= math.MaxInt64 {
			break
		}
		return int64(value * unit.factor), nil
	}
	return 0, errors.New("not a size: write 20KB, 1.5MB or 2GiB")
}
