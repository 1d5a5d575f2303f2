package config

import (
	"cmp"
	"errors"
	"strings"
)

// AWS is what AWS's own variables say of who asks and where, for a function: it
// has them in its environment, and reads no files and asks no machine.
type AWS struct {
	Region          string // AWS_REGION, else AWS_DEFAULT_REGION
	AccessKeyID     string
	SecretAccessKey Secret
	SessionToken    Secret // empty: the credentials are not temporary

	everywhere string    // AWS_ENDPOINT_URL
	endpoints  [5]string // of awsServices
}

// awsServices are those that we may ask, as AWS_ENDPOINT_URL_ names them.
func awsServices() [5]string { return [...]string{"S3", "DYNAMODB", "SQS", "SSM", "SECRETSMANAGER"} }

func readAWS(getenv func(string) string) AWS {
	a := AWS{
		Region:      cmp.Or(getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION")),
		AccessKeyID: getenv("AWS_ACCESS_KEY_ID"),
		everywhere:  getenv("AWS_ENDPOINT_URL"),
	}
	for name, to := range map[string]*Secret{"AWS_SECRET_ACCESS_KEY": &a.SecretAccessKey, "AWS_SESSION_TOKEN": &a.SessionToken} {
		if v := getenv(name); v != "" {
			*to = NewSecret(v)
		}
	}
	for i, service := range awsServices() {
		a.endpoints[i] = getenv("AWS_ENDPOINT_URL_" + service)
	}
	return a
}

// Endpoint returns where a service is, such as S3: AWS_ENDPOINT_URL_S3, else
// AWS_ENDPOINT_URL, else "", which is Amazon's own.
func (a AWS) Endpoint(service string) string {
	own := ""
	for i, name := range awsServices() {
		if name == service {
			own = a.endpoints[i]
		}
	}
	return strings.TrimSuffix(cmp.Or(own, a.everywhere), "/")
}

// Check returns nil if the variables are there without which nothing can be
// asked.
func (a AWS) Check() error {
	if a.Region == "" {
		return errors.New("there is no region: set AWS_REGION")
	}
	if a.AccessKeyID == "" || a.SecretAccessKey.Reveal() == "" {
		return errors.New("there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return nil
}
