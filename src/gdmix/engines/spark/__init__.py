"""The Spark engine: rows lie on executors, packed once into arrays that tasks map into memory.

An RDD of a data set has one small record for each partition, which says in which folder of the
executor its arrays lie. Spark caches these records, sends tasks to where they are, and makes them
anew, and the arrays with them, where an executor was lost. So a pass over the rows moves
coefficients and sums alone.
"""
