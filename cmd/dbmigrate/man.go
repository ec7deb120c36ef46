package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/helptext"
)

// newMan is for packagers: it is not among the commands that help lists.
func newMan(a *app) *cobra.Command {
	cmd := described("man", func(cmd *cobra.Command, args []string) error { return writeMan(cmd.Root(), args[0]) })
	cmd.Hidden = true
	cmd.Args = commandline.OneArgument("a folder", "such as dbmigrate man ./man")
	return cmd
}

func writeMan(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return usageError("make folder", dir, err.Error(), "")
	}
	root.DisableAutoGenTag = true
	describe(root)
	header := doc.GenManHeader{Section: "1", Source: "dbmigrate " + version(), Manual: "dbmigrate"}
	if err := doc.GenManTree(root, &header, dir); err != nil {
		return usageError("write manual pages", dir, err.Error(), "")
	}
	return nil
}

// describe adds to each command's description what its help says besides: effects and exit codes.
func describe(cmd *cobra.Command) {
	cmd.Long = strings.TrimSpace(cmd.Long)
	appendSection(cmd, "EFFECTS", helptext.Effects(cmd))
	appendSection(cmd, "EXIT STATUS", helptext.ExitCodes(cmd))
	for _, c := range cmd.Commands() {
		describe(c)
	}
}

func appendSection(cmd *cobra.Command, title, text string) {
	if text = strings.Trim(text, "\n"); text != "" {
		cmd.Long += "\n\n# " + title + "\n```\n" + text + "\n```"
	}
}
