"""Input: manifest files become checked Resources, and these become desired XML.

The only importer of yaml, jsonschema and jinja2. Nothing here talks to a host.
"""
