package effort

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// Changed names the files that the working tree and the last commits changed. `make` sets it.
const Changed = "DBMIGRATE_CHANGED"

// turns in a row run everything.
const turns = 6

// byTurn is what runs at one of six turns in a row: a package of tests, or "package TestName". It starts a
// runtime, or takes long. Everything else is the core, which runs at each turn. The six are about
// equally long.
var byTurn = [turns][]string{
	{
		"test/backends",
		"cmd/dbmigrate TestRunbook",
		"cmd/dbmigrate TestWrongDeployments",
		"test/e2e TestRuntimeKilled",
		"test/faults TestExpiry",
	},
	{
		"test/consumers",
		"test/faults TestOneSickObject",
		"test/faults TestTroubleThatPasses",
	},
	{
		"test/births",
		"test/leaving",
		"cmd/dbmigrate TestBadDeploy",
		"cmd/dbmigrate TestCostlyFilesAreRefused",
		"test/e2e TestObjectKeepsWhatItCarries",
		"test/e2e TestWalkDiscard",
		"test/faults TestHundredBusyUsers",
	},
	{
		"test/e2e TestWalkBirth",
		"test/e2e TestWalkBorn",
		"test/e2e TestWalkForget",
		"test/faults TestEveryCellOfServiceDown",
		"test/faults TestInterruptedWait",
		"test/faults TestRefusedLaterReopens",
		"test/faults TestRollbackWithoutKV",
		"test/faults TestSelftestMayDieAnywhere",
		"test/faults TestTwoOperators",
		"test/faults TestUnsuccessfulKeys",
	},
	{
		"test/misread",
		"cmd/dbmigrate TestStackStories",
		"test/e2e TestWalkSplit",
		"test/faults TestTheEdgeBlocksOneUser",
	},
	{
		"test/oldpath",
		"test/oncall",
		"cmd/dbmigrate TestMemoryOfADeepScan",
		"cmd/dbmigrate TestMemoryOfALargeScan",
		"test/faults TestConditionalWriters",
		"test/faults TestKilledShardIsTakenOver",
		"test/faults TestTroubleThatLasts",
		"test/faults TestTwoShardsAtTheSameTime",
		"test/property TestBigDatabasesComeBack",
		"test/property TestVerifyFindsAndNamesEveryMutation",
	},
}

// ByTurn is what runs at the first of the turns, at the second, and so on.
func ByTurn() [][]string { return byTurn[:] }

// Wait is what a run leaves to other turns.
type Wait struct {
	Packages []string // folders of the repository
	Tests    []string // names, each of one test of all
	Note     string   // says how much runs
}

// Waiting is what waits for another turn: nothing in a whole run, and nothing that changed. repo is the
// repository, changed are paths in it.
func Waiting(repo fs.FS, changed []string) (Wait, error) {
	c := chosen()
	if c.err != nil || c.whole {
		return Wait{}, c.err
	}
	return c.waiting(repo, changed)
}

func (c choice) waiting(repo fs.FS, changed []string) (w Wait, err error) {
	all, wait := 0, 0
	for n, parts := range byTurn {
		all += len(parts)
		for _, one := range parts {
			if n == c.turn%turns {
				continue
			}
			dir, test, isTest := strings.Cut(one, " ")
			touched, err := touched(repo, dir, test, changed)
			switch {
			case err != nil:
				return Wait{}, err
			case touched:
				continue
			case isTest:
				w.Tests = append(w.Tests, test)
			default:
				w.Packages = append(w.Packages, dir)
			}
			wait++
		}
	}
	w.Note = fmt.Sprintf("%d of %d packages and tests that take turns (%s=%d)", all-wait, all, Variable, c.turn)
	return w, nil
}

// touched: something in the folder of a package changed; of a test, its file, or the testdata beside it.
func touched(repo fs.FS, dir, test string, changed []string) (bool, error) {
	for _, file := range changed {
		inside, found := strings.CutPrefix(file, dir+"/")
		switch {
		case !found:
		case test == "", strings.HasPrefix(inside, "testdata/"):
			return true, nil
		case strings.HasSuffix(inside, "_test.go"):
			declares, err := Declares(repo, file, test)
			if declares || err != nil {
				return declares, err
			}
		}
	}
	return false, nil
}

// Declares says whether a file has this test. A file that is gone has none.
func Declares(repo fs.FS, file, test string) (bool, error) {
	text, err := fs.ReadFile(repo, file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return regexp.MustCompile(`(?m)^func ` + test + `\(`).Match(text), err
}
