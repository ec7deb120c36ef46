package selection

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// shard is one of several parts of the fleet that processes work on side by side; every user is in exactly
// one of them. The zero value is everybody. Shards are counted from 1, as people and GitLab do: 1/16 to
// 16/16, and 0/16 is refused rather than guessed.
type shard struct {
	number, of int
}

// maxShards is far above any matrix, and keeps a mistyped number from leaving most of the fleet to nobody.
const maxShards = 10_000

var shardPattern = regexp.MustCompile(`^([0-9]{1,6})/([0-9]{1,6})$`)

func parseShard(text string) (shard, error) {
	found := shardPattern.FindStringSubmatch(text)
	if found == nil {
		return shard{}, userdb.UsageError(fmt.Sprintf("--shard must be auto, or a part such as 3/16, not %q", text), "", "", "3/16 is the third of sixteen")
	}
	number, _ := strconv.Atoi(found[1]) // the pattern lets only small numbers through
	of, _ := strconv.Atoi(found[2])
	s := shard{number, of}
	return s, s.validate(text)
}

func (s shard) validate(text string) error {
	switch {
	case s.of < 1 || s.of > maxShards:
		return shardError(text, fmt.Sprintf("the number of shards must be from 1 to %d", maxShards), "")
	case s.number < 1 || s.number > s.of:
		return shardError(
			text,
			fmt.Sprintf("shards are counted from 1: there are 1/%d to %d/%d", s.of, s.of, s.of),
			"",
		)
	}
	return nil
}

func shardError(thing, cause, hint string) error {
	if hint == "" {
		hint = "pass --shard 3/16 for the third of sixteen, or --shard auto"
	}
	return userdb.UsageError("read --shard", thing, cause, hint)
}

// has says whether a user belongs to the shard. The hash is another one than that of share: each shard of 5
// percent is 5 percent of the shard.
func (s shard) has(u userdb.UserID) bool {
	if s.of == 0 {
		return true
	}
	sum := sha256.Sum256([]byte("dbmigrate shard " + string(u)))
	return binary.BigEndian.Uint64(sum[:8])%uint64(s.of) == uint64(s.number-1)
}

// shardSource is how one system tells a job which of several it is.
type shardSource struct {
	system       string
	index, total string // names of environment variables
	first        int    // what the index of the first job is
	note         string // where total comes from, if not from the system itself
}

var shardSources = []shardSource{
	{
		"Kubernetes",
		"JOB_COMPLETION_INDEX",
		"JOB_COMPLETIONS",
		0,
		"the manifest has to set JOB_COMPLETIONS to what spec.completions is",
	},
	{"GitLab", "CI_NODE_INDEX", "CI_NODE_TOTAL", 1, "the job needs the keyword parallel"},
	{"CircleCI", "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0, "the job needs the key parallelism"},
	{
		"Buildkite",
		"BUILDKITE_PARALLEL_JOB",
		"BUILDKITE_PARALLEL_JOB_COUNT",
		0,
		"the step needs the key parallelism",
	},
}

// shardFromEnvironment serves --shard auto: exactly one system has to say which shard this is.
func shardFromEnvironment(getenv func(string) string) (shard, error) {
	var found []shardSource
	for _, source := range shardSources {
		if getenv(source.index) != "" {
			found = append(found, source)
		}
	}
	switch len(found) {
	case 0:
		return shard{}, shardError(
			"auto",
			"none of "+indexNames(shardSources)+" is set",
			"pass --shard 3/16; on GitHub pass the matrix's number",
		)
	case 1:
		return found[0].read(getenv)
	}
	return shard{}, shardError("auto", indexNames(found)+" are all set", "pass --shard 3/16")
}

func (c shardSource) read(getenv func(string) string) (shard, error) {
	said := fmt.Sprintf("auto (%s=%s, %s=%s)", c.index, getenv(c.index), c.total, getenv(c.total))
	index, indexErr := strconv.Atoi(getenv(c.index))
	total, totalErr := strconv.Atoi(getenv(c.total))
	if indexErr != nil || totalErr != nil {
		return shard{}, shardError(said, "both have to be numbers", c.note)
	}
	s := shard{index - c.first + 1, total}
	if s.of < 1 || s.number < 1 || s.number > s.of || s.of > maxShards {
		return shard{}, shardError(
			said,
			fmt.Sprintf("%s counts from %d, so this is no shard of %d", c.system, c.first, total),
			c.note,
		)
	}
	return s, nil
}

func indexNames(sources []shardSource) string {
	var names []string
	for _, source := range sources {
		names = append(names, source.index)
	}
	return strings.Join(names, ", ")
}
