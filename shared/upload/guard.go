package upload

import (
	"context"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// publish makes an upload the current version at its path, if test allows it
// and whoever began the upload still may: a user who was disabled meanwhile
// cannot finish what they began.
func (s *Service) publish(
	ctx context.Context, u catalog.Upload, content catalog.Content, test func(*catalog.File) error,
) (catalog.File, bool, error) {
	return s.Catalog.Publish(ctx, u, content, func(f *catalog.File) error {
		if err := s.stillMay(ctx, content.By, u.Owner); err != nil {
			return err
		}
		if test == nil {
			return nil
		}
		return test(f)
	})
}

// stillMay returns nil if the user is there, is not disabled, and may write to
// the owner's files, by what was so catalog.MaxAge ago at most; else Forbidden
// "forbidden".
func (s *Service) stillMay(ctx context.Context, user, owner string) error {
	u, err := s.Catalog.User(ctx, user)
	if err != nil && !fault.Is(err, fault.NotFound, "") {
		return err
	}
	may := auth.May(auth.Subject{UserID: u.ID, Role: u.Role}, auth.WriteFile, auth.Object{Owner: owner})
	if err != nil || u.Disabled || may != nil {
		return fault.New(fault.Forbidden, "forbidden", "Who began the upload may no longer write there.")
	}
	return nil
}

// checkBegun returns nil if an open upload may be completed as things stand.
// What holds now may not when it is published, and is asked again then.
func (s *Service) checkBegun(ctx context.Context, m catalog.Multipart) error {
	if err := s.stillMay(ctx, m.By, m.Owner); err != nil {
		return err
	}
	return s.checkCondition(ctx, m.Owner, m.Path, m.Condition)
}

// checkCondition holds a condition against the file that is at the path now.
func (s *Service) checkCondition(ctx context.Context, owner, path string, c catalog.Condition) error {
	f, err := s.Catalog.FileAt(ctx, owner, path)
	switch {
	case fault.Is(err, fault.NotFound, ""):
		return c.Check(nil)
	case err != nil:
		return err
	default:
		return c.Check(&f)
	}
}
