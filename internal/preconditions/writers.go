package preconditions

import (
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// FixSaves mends a router and admin routes that disagree.
const FixSaves = "give createRouter and handleAdmin the same value (docs/mount.md), and deploy; nothing was changed"

// SavesAgree refuses a Worker with a router that saves files although its admin routes say that it does not,
// or the other way round: the wrong procedure for an old path loses what it acknowledges.
func SavesAgree(hello wire.Hello, url string) error {
	if !hello.SavesDiffer() {
		return nil
	}
	return userdb.UsageError(
		"check the Worker",
		url,
		fmt.Sprintf(
			"createRouter was told savesFiles: %t, and handleAdmin savesFiles: %t",
			*hello.RouterSavesFiles,
			*hello.SavesFiles,
		),
		FixSaves,
	)
}

const (
	notMounted = "mount the Worker with savesFiles: false first (docs/mount.md), or make the save conditional: it is one line"
	oldPathWhy = "the Worker says savesFiles: false: an old path of the application saves files without conditions"
)

// Mounted is what the Worker says of who saves files.
type Mounted struct {
	OldPath bool // an old path of the application saves files
	Untold  bool // what the router was told of that is not known
}

// RefuseUntold refuses to rely on a router that no file is saved by, where nobody knows what it was told.
func (m Mounted) RefuseUntold(writers migrate.Writers) error {
	if writers != migrate.WritersUnconditional || !m.Untold {
		return nil
	}
	return userdb.UsageError(
		"check the Worker",
		"",
		"handleAdmin was told savesFiles: false, and which value createRouter was told is not known: a router that saves files would be overwritten",
		"call createRouter before handleAdmin (docs/mount.md), and deploy; nothing was changed",
	)
}

// WaitsForNobody refuses a command that moves users, and does not wait for the requests of an old path: one
// that loaded the file before the fence saves over it, and what it acknowledged is lost.
func (m Mounted) WaitsForNobody(command, instead string) error {
	if !m.OldPath {
		return nil
	}
	return userdb.UsageError(
		"check the Worker",
		"",
		oldPathWhy+", and "+command+" does not wait for it",
		instead+"; nothing was changed",
	)
}

// Agree compares what was said with what the Worker says. Beside an old path that saves without conditions a
// router that saves files, too, loses what it acknowledged. Where nothing was said the Worker decides.
func (m Mounted) Agree(p *migrate.Procedure, said, splits bool, say func(string, ...any)) error {
	switch {
	case p.Outwaits() && !m.OldPath:
		return userdb.UsageError(
			"read --writers",
			string(p.Writers),
			"the Worker's router saves files as well, and what it acknowledges could be overwritten",
			notMounted,
		)
	case m.OldPath && splits:
		return userdb.UsageError(
			"read --mode",
			"split",
			oldPathWhy+"; the hot rows would stay in a file that nobody may save",
			"remove the old path first",
		)
	case m.OldPath && p.Writers == migrate.WritersFenceAware && said:
		return userdb.UsageError(
			"read --writers",
			string(p.Writers),
			oldPathWhy,
			"pass --writers unconditional, or mount the Worker without that once the old path is gone",
		)
	case m.OldPath && p.Writers == migrate.WritersFenceAware:
		p.Writers = migrate.WritersUnconditional
		say("%s: going on as with --writers unconditional", oldPathWhy)
	}
	return nil
}
