package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan is for packagers: it is not among the commands that help lists.
func newMan(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages into a folder",
		Long:   "Write a manual page for every command into a folder, which is made if it is absent. SOURCE_DATE_EPOCH dates them, for builds that can be repeated.",
		Hidden: true,
		Example: "  dbmigrate man ./man\n" +
			"  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) dbmigrate man ./man\n" +
			"  dbmigrate man ./man && man -l ./man/dbmigrate-rollback.1",
		Annotations: manual{
			reads:   "nothing",
			changes: "DIR/dbmigrate*.1",
			undo:    "remove them",
			exits:   []int{exitDone, exitUsage},
		}.annotations(),
		Args: oneArgument("a folder", "such as dbmigrate man ./man"),
		RunE: func(cmd *cobra.Command, args []string) error { return writeMan(cmd.Root(), args[0]) },
	}
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
	appendSection(cmd, "EFFECTS", effects(cmd))
	appendSection(cmd, "EXIT STATUS", exitList(cmd))
	for _, c := range cmd.Commands() {
		describe(c)
	}
}

func appendSection(cmd *cobra.Command, title, text string) {
	if text = strings.Trim(text, "\n"); text != "" {
		cmd.Long += "\n\n# " + title + "\n```\n" + text + "\n```"
	}
}
