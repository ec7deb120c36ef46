package localruntime

import "testing"

func TestRunCommandReturnsTheCommandsCode(t *testing.T) {
	for script, want := range map[string]int{
		"exit 0": 0, "exit 3": 3, "kill -s TERM $$": 143, `test "$MARK" = here`: 0,
	} {
		code, err := RunCommand(
			[]string{"/bin/sh", "-c", script},
			[]string{"PATH=/bin:/usr/bin", "MARK=here"},
		)
		if err != nil || code != want {
			t.Errorf("%s: %d, %v", script, code, err)
		}
	}
	if code, err := RunCommand([]string{"/nonexistent/command"}, nil); err == nil || code != 127 {
		t.Errorf("absent command: %d, %v", code, err)
	}
}
