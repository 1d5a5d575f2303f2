"""Prints what a SAM template becomes, as JSON. usage: transform.py template.yaml

It is the transform that CloudFormation runs, without asking AWS anything.
"""

import json
import sys

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoPolicies:
    """Stands for the list of AWS's managed policies, of which the template has none."""

    def load(self):
        return {}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        template = yaml_parse(file.read())
    for resource in template["Resources"].values():
        code = resource.get("Properties", {}).get("CodeUri")
        if code:  # it is uploaded before it is transformed
            resource["Properties"]["CodeUri"] = "s3://uploaded/" + code
    json.dump(transform(template, {}, NoPolicies()), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
