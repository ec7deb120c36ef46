package selection

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func shardOf(t *testing.T, u userdb.UserID, of int) shard {
	t.Helper()
	for number := 1; number <= of; number++ {
		if s := (shard{number, of}); s.has(u) {
			return s
		}
	}
	t.Fatalf("%s is in no shard of %d", u, of)
	return shard{}
}

// The shards are fixed for ever, as shares are: machines with different versions work on one fleet.
func TestShardIsFixed(t *testing.T) {
	for user, want := range map[userdb.UserID]int{"alice": 8, "bob": 9, "user-00001": 7} {
		if got := shardOf(t, user, 16).number; got != want {
			t.Errorf("%s is in shard %d/16, want %d/16", user, got, want)
		}
	}
}

// Every user is in exactly one shard, whatever the id and the number of shards.
func TestShardsAreDisjointAndComplete(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		of := 1 + random.IntN(64)
		for range 50 {
			u := userdb.UserID(randomText(random))
			in := 0
			for number := 1; number <= of; number++ {
				if (shard{number, of}).has(u) {
					in++
				}
			}
			if in != 1 {
				t.Fatalf("%q is in %d of %d shards", u, in, of)
			}
		}
	}
}

func randomText(random *rand.Rand) string {
	text := make([]rune, 1+random.IntN(20))
	for i := range text {
		text[i] = rune(1 + random.IntN(0x2fff))
	}
	return string(text)
}

// A share of a shard is that share: were the hashes not independent, some machines would get a whole wave and
// others nobody.
func TestShardsAndSharesAreIndependent(t *testing.T) {
	const users, of, percent = 64_000, 16, 10
	counts := make([]int, of)
	for i := range users {
		u := userdb.UserID(fmt.Sprint("user-", i))
		if Share(u) < percent {
			counts[shardOf(t, u, of).number-1]++
		}
	}
	for i, n := range counts {
		if n < 320 || n > 480 { // 400 expected, four standard deviations either way
			t.Errorf("shard %d/%d has %d users of the first %d percent", i+1, of, n, percent)
		}
	}
}

func TestParseShard(t *testing.T) {
	for text, want := range map[string]shard{"1/1": {1, 1}, "3/16": {3, 16}, "16/16": {16, 16}} {
		if got, err := parseShard(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0/16", "17/16", "1/0", "0/0", "1/10001", "3", "3/", "/3", "-1/3", "1/2/3", "a/b", " 1/2", "1 /2", "+1/2", "9999999/9999999"} {
		if got, err := parseShard(text); userdb.KindOf(err) != userdb.Usage {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestShardFromEnvironment(t *testing.T) {
	for name, test := range map[string]struct {
		env  string
		want shard
		fail string
	}{
		"kubernetes":             {env: "JOB_COMPLETION_INDEX=0 JOB_COMPLETIONS=4", want: shard{1, 4}},
		"kubernetes, last":       {env: "JOB_COMPLETION_INDEX=3 JOB_COMPLETIONS=4", want: shard{4, 4}},
		"kubernetes, past":       {env: "JOB_COMPLETION_INDEX=4 JOB_COMPLETIONS=4", fail: "counts from 0"},
		"kubernetes, no total":   {env: "JOB_COMPLETION_INDEX=3", fail: "the manifest has to set JOB_COMPLETIONS"},
		"gitlab":                 {env: "CI_NODE_INDEX=1 CI_NODE_TOTAL=4", want: shard{1, 4}},
		"gitlab, last":           {env: "CI_NODE_INDEX=4 CI_NODE_TOTAL=4", want: shard{4, 4}},
		"gitlab, from 0":         {env: "CI_NODE_INDEX=0 CI_NODE_TOTAL=4", fail: "counts from 1"},
		"gitlab, not parallel":   {env: "CI_NODE_TOTAL=1", fail: "none of JOB_COMPLETION_INDEX"},
		"circle":                 {env: "CIRCLE_NODE_INDEX=1 CIRCLE_NODE_TOTAL=2", want: shard{2, 2}},
		"buildkite":              {env: "BUILDKITE_PARALLEL_JOB=0 BUILDKITE_PARALLEL_JOB_COUNT=2", want: shard{1, 2}},
		"buildkite, total alone": {env: "BUILDKITE_PARALLEL_JOB_COUNT=2", fail: "none of"},
		"no numbers":             {env: "JOB_COMPLETION_INDEX=x JOB_COMPLETIONS=4", fail: "numbers"},
		"two systems":            {env: "JOB_COMPLETION_INDEX=0 JOB_COMPLETIONS=4 CI_NODE_INDEX=1 CI_NODE_TOTAL=4", fail: "JOB_COMPLETION_INDEX, CI_NODE_INDEX are all set"},
		"nothing":                {fail: "none of"},
	} {
		env := map[string]string{}
		for _, entry := range strings.Fields(test.env) {
			key, value, _ := strings.Cut(entry, "=")
			env[key] = value
		}
		got, err := shardFromEnvironment(func(key string) string { return env[key] })
		if got != test.want && test.fail == "" || (err == nil) != (test.fail == "") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if err != nil && (userdb.KindOf(err) != userdb.Usage || !strings.Contains(err.Error(), test.fail)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadExcluded(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"vips.txt": "alice\nbob # twice\n", "carol": "dave\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	absolute, err := filepath.Abs("carol")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		values []string
		want   string
		fail   string
	}{
		"nobody":               {want: "map[]"},
		"users":                {values: []string{"zoe", "zoe", "yan"}, want: "map[yan:true zoe:true]"},
		"file and user":        {values: []string{"./vips.txt", "zoe"}, want: "map[alice:true bob:true zoe:true]"},
		"absolute":             {values: []string{absolute}, want: "map[dave:true]"},
		"standard input":       {values: []string{"-"}, want: "map[eve:true]"},
		"file or user":         {values: []string{"carol"}, fail: "write ./carol for the file"},
		"file without a slash": {values: []string{"vips.txt"}, fail: "write ./vips.txt"},
		"no such file":         {values: []string{"./vip.txt"}, fail: "open users file ./vip.txt"},
		"no user":              {values: []string{"a%b"}, fail: "bad user id"},
	} {
		got, err := readExcluded(test.values, strings.NewReader("eve\n"))
		if test.fail == "" && (err != nil || fmt.Sprint(got) != test.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if test.fail != "" && (err == nil || !strings.Contains(err.Error(), test.fail)) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
