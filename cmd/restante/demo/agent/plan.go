package agent

import "strings"

// The words for what it can do.
const help = "I can do a few things, all of them inside this folder, and all but the tests only read:\n\n" +
	"- list, or list and a folder: what is here\n" +
	"- grep and a word, or grep and a word and a place: where it stands\n" +
	"- vet, or vet and a package: what go vet has to say\n" +
	"- test, or test and a package: go test, if you allow it\n" +
	"- review: all of that, one after the other\n\n" +
	"I have rules instead of a model, but the work is real. While I am at it, cut the connection, go through a tunnel, kill the broker: you will miss nothing."

// answer does what w asks for.
func (t *turn) answer(w wish) error {
	switch w.do {
	case doHelp:
		return t.say(help)
	case doList:
		_, err := t.list(w.where, true)
		return err
	case doGrep:
		_, err := t.grep(w.word, w.where)
		return err
	case doVet:
		_, err := t.vet(w.where)
		return err
	case doTest:
		return t.test(w.where)
	case doReview:
		return t.review()
	}
	if w.why != "" {
		return t.say("%s", w.why)
	}
	return t.say("That is beyond me, I am afraid: I have a handful of rules instead of a model. Try review, list, grep TODO, vet or test, or say help and I will tell you more.")
}

// list lists a folder.
func (t *turn) list(where string, talk bool) (ended, error) {
	var folders, files int
	e, err := t.use("list", words(where), lookLimit, func(c *call) (exit int, err error) {
		folders, files, err = t.a.shop.folder.list(c.ctx, c.out, where)
		return 0, err
	})
	switch {
	case err != nil:
		return e, err
	case e.failed != "":
		return e, t.excuse("the list", e)
	case !talk:
		return e, t.say("%s and %s. ", count(folders, "folder"), count(files, "file"))
	case where == "":
		return e, t.say("That is %s: %s and %s.", t.a.shop.folder.name(), count(folders, "folder"), count(files, "file"))
	}
	return e, t.say("%s and %s in %s.", count(folders, "folder"), count(files, "file"), where)
}

// grep searches for a word. Exit 1 is "not found", as everybody expects it.
func (t *turn) grep(word, where string) (ended, error) {
	s := &search{folder: t.a.shop.folder, word: word}
	e, err := t.use("grep", words(word, where), lookLimit, func(c *call) (int, error) {
		s.out, s.progress = c.out, c.progress
		err := s.run(c.ctx, where)
		if err == nil && s.found == 0 {
			return 1, nil
		}
		return 0, err
	})
	switch {
	case err != nil:
		return e, err
	case e.failed != "":
		return e, t.excuse("the search", e)
	case s.found == 0:
		err = t.say("%s is nowhere: I searched %s. ", quoted(word), count(s.searched, "file"))
	default:
		err = t.say("%s stands in %s, in %d of the %s that I searched. ", quoted(word), count(s.found, "line"), s.files, count(s.searched, "file"))
	}
	if err == nil && s.more {
		err = t.say("There are more than %d files; I left the rest out. ", searchedFiles)
	}
	return e, err
}

// vet runs go vet.
func (t *turn) vet(where string) (ended, error) {
	pattern, err := t.a.shop.folder.packages(where)
	if err != nil {
		return ended{exit: -1}, t.say("I cannot vet that: %s.", err)
	}
	e, err := t.use("go vet", words(pattern), vetLimit, func(c *call) (int, error) {
		return t.a.shop.run(c.ctx, c.out, c.err, "go", "vet", pattern)
	})
	switch {
	case err != nil:
		return e, err
	case e.failed != "":
		return e, t.excuse("go vet", e)
	case e.ok():
		return e, t.say("go vet has nothing to complain about. ")
	}
	return e, t.say("go vet is not happy: what it says is above. ")
}

// test runs go test, if it is allowed to.
func (t *turn) test(where string) error {
	pattern, err := t.a.shop.folder.packages(where)
	if err != nil {
		return t.say("I cannot test that: %s.", err)
	}
	command := "go test " + pattern
	allowed, err := t.ask(command, "May I run the tests? They are code of this folder, and do what that code does.")
	if err != nil {
		return err
	}
	if !allowed {
		return t.say("All right, no tests.")
	}
	packages := 0
	e, err := t.use("go test", words(pattern), testLimit, func(c *call) (int, error) {
		packages = t.a.shop.packages(c.ctx, pattern)
		done := 0
		seen := &verdicts{to: c.out, seen: func(pkg string) {
			if done++; done <= packages {
				c.progress(done, packages, pkg)
			}
		}}
		return t.a.shop.run(c.ctx, seen, c.err, "go", "test", pattern)
	})
	switch {
	case err != nil:
		return err
	case e.failed != "":
		return t.excuse("go test", e)
	case !e.ok():
		return t.say("Some of it fails: what go test says is above.")
	case packages > 0:
		return t.say("The tests pass, in %s.", count(packages, "package"))
	}
	return t.say("The tests pass.")
}

// review is everything, one after the other.
func (t *turn) review() error {
	if err := t.say("I will look around in %s, search for what was left to do, have go vet read the code, and then ask you about the tests.\n\n", t.a.shop.folder.name()); err != nil {
		return err
	}
	if _, err := t.list("", false); err != nil {
		return err
	}
	if err := t.say("Now for the loose ends.\n\n"); err != nil {
		return err
	}
	if _, err := t.grep("TODO", ""); err != nil {
		return err
	}
	if err := t.say("Next, go vet.\n\n"); err != nil {
		return err
	}
	e, err := t.vet("")
	if err != nil {
		return err
	}
	if e.failed == errNoGo.Error() {
		return t.say("So there is nothing to test with either, and that was my review.")
	}
	if err := t.test(""); err != nil {
		return err
	}
	return t.say(" That was my review.")
}

// excuse says why a call came to nothing.
func (t *turn) excuse(what string, e ended) error {
	if e.failed == errTimeout {
		return t.say("I gave up on %s: it took longer than I allow it. ", what)
	}
	return t.say("That did not work: %s. ", strings.TrimSuffix(e.failed, "."))
}

// words are the arguments that are shown of a call: those that there are.
func words(args ...string) []string {
	var given []string
	for _, a := range args {
		if a != "" {
			given = append(given, a)
		}
	}
	return given
}
