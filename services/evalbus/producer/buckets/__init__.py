"""Writing objects of buckets in parts: each appears when all of it is written, and not before."""

from evalbus.producer.buckets.base import BucketAway, BucketRefused, Parts
from evalbus.producer.buckets.gs import GoogleParts
from evalbus.producer.buckets.s3 import S3Parts
from evalbus.producer.buckets.writing import BucketObject

__all__ = ["BucketAway", "BucketObject", "BucketRefused", "GoogleParts", "Parts", "S3Parts"]
