package preconditions

import (
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// FixSplit mounts split mode where it is missing.
const FixSplit = "give the class's storeOptions and createRouter `split: splitMode` (docs/split.md), and deploy; nothing was changed"

// FixUntold lets a Worker tell which parts its routers have.
const FixUntold = "call createRouter before handleAdmin (docs/mount.md), and deploy; nothing was changed"

// ServesSplit refuses a Worker that cannot serve split users: of before, or mounted without split mode. It
// also refuses one that names its objects' parts and not its routers'. One that names none has all.
func ServesSplit(hello wire.Hello, url string) error {
	reason, hint := "", FixSplit
	switch o := hello.Object; {
	case o != nil && o.Parts != nil && !slices.Contains(o.Parts, wire.PartSplit):
		reason = "its Durable Objects are mounted without split mode"
	case hello.RouterParts != nil && !slices.Contains(hello.RouterParts, wire.PartSplit):
		reason = "one of its routers is mounted without split mode"
	case !hello.Split:
		reason, hint = "it does not know split mode", "deploy a Worker of this version first; nothing was changed"
	case routerUntold(hello):
		reason, hint = "whether its routers have split mode is not known", FixUntold
	default:
		return nil
	}
	return userdb.UsageError("check the Worker", url, reason, hint)
}

// UntoldRouter says that the objects have split mode, and that nobody knows whether the routers have it.
func UntoldRouter(hello wire.Hello) bool {
	return routerUntold(hello) && slices.Contains(hello.Object.Parts, wire.PartSplit)
}

func routerUntold(hello wire.Hello) bool {
	return hello.Object != nil && hello.Object.Parts != nil && hello.RouterParts == nil
}

// Unmounted names the optional parts that the Worker lacks: of its objects, and of its router where those
// have them. Both are empty where nothing is missing or nothing is said.
func Unmounted(hello wire.Hello) (objects, router string) {
	if hello.Object == nil || hello.Object.Parts == nil {
		return "", ""
	}
	var lacking, unrouted []string
	for _, part := range []struct{ part, name string }{
		{wire.PartLive, "live updates"}, {wire.PartSplit, "split mode"},
	} {
		switch has := slices.Contains(hello.Object.Parts, part.part); {
		case !has:
			lacking = append(lacking, part.name)
		case hello.RouterParts != nil && !slices.Contains(hello.RouterParts, part.part):
			unrouted = append(unrouted, part.name)
		}
	}
	return strings.Join(lacking, " and "), strings.Join(unrouted, " and ")
}
