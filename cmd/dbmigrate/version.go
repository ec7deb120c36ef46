package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// releaseVersion is set by release builds with -ldflags "-X main.releaseVersion=...". Others go by what the
// Go toolchain recorded.
var releaseVersion string

// developmentVersion is that of a build about which nothing is recorded.
const developmentVersion = "devel"

func version() string {
	if releaseVersion != "" {
		return releaseVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return developmentVersion
	}
	return info.Main.Version
}

// versionJSON is promised in docs/scripting.md.
type versionJSON struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Protocol int    `json:"protocol"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func describeVersion() versionJSON {
	v := versionJSON{
		Version:  version(),
		Protocol: wire.Version,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Revision = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		}
	}
	return v
}

func (v versionJSON) text() string {
	return fmt.Sprintf("dbmigrate %s (protocol %d, %s, %s)\n", v.Version, v.Protocol, v.Go, v.Platform)
}

func newVersion(a *app) *cobra.Command {
	cmd := described("version", func(*cobra.Command, []string) error {
		v := describeVersion()
		if a.out.Format == terminal.JSON {
			return json.NewEncoder(a.results).Encode(v)
		}
		_, err := fmt.Fprint(a.results, v.text())
		return err
	})
	cmd.Args = commandline.NoArguments
	return cmd
}
