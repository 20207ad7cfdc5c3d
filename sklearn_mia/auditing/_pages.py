"""Pages of a Parquet column: how many values they hold, by their own headers.

What the end of a file says of a column may be less. Of a column of lists, where a row
may have any number of values, readers take memory for as many as its pages say.
"""

_MOST_OF_A_HEADER = 2**20
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_NUMBERS = (4, 5, 6)
# Of a header of a page, as the format numbers its fields.
_PACKED_SIZE, _PAGE, _PAGE_OF_VERSION_2, _N_VALUES = 3, 5, 8, 1


def values_in_pages(file, start, n_bytes):
    """Number of values in the pages of a column.

    Parameters
    ----------
    file : binary file

    start, n_bytes : int
        Where its pages are.

    Returns
    -------
    n_values : int

    Raises
    ------
    ValueError, IndexError
        If there is no such page.
    """
    n_values, place = 0, start
    while place < start + n_bytes:
        file.seek(place)
        header, length = _struct(file.read(_MOST_OF_A_HEADER), 0)
        for kind in (_PAGE, _PAGE_OF_VERSION_2):
            n_values += header.get(kind, {}).get(_N_VALUES, 0)
        packed = header.get(_PACKED_SIZE, -1)
        if packed < 0:
            raise ValueError("a page without a size")
        place += length + packed
    return n_values


# Thrift's compact protocol, as far as such headers need it.


def _struct(data, place):
    """Fields by their numbers, and the place after the last one."""
    fields, number = {}, 0
    while True:
        head = data[place]
        place += 1
        if head == 0:
            return fields, place
        if head >> 4:
            number += head >> 4
        else:
            number, place = _number(data, place)
        fields[number], place = _value(data, place, head & 15)


def _value(data, place, kind):
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, place
    if kind == _BYTE:
        return data[place], place + 1
    if kind in _NUMBERS:
        return _number(data, place)
    if kind == _DOUBLE:
        return None, place + 8
    if kind == _BINARY:
        length, place = _unsigned(data, place)
        return None, place + length
    if kind == _STRUCT:
        return _struct(data, place)
    if kind not in (_LIST, _SET):
        raise ValueError("a field of no known kind")
    size, inner = data[place] >> 4, data[place] & 15
    place += 1
    if size == 15:
        size, place = _unsigned(data, place)
    for _ in range(size):
        # Inside a list a truth value takes a byte.
        _, place = _value(data, place, _BYTE if inner in (_TRUE, _FALSE) else inner)
    return None, place


def _number(data, place):
    value, place = _unsigned(data, place)
    return (value >> 1) ^ -(value & 1), place


def _unsigned(data, place):
    value = shift = 0
    while True:
        part = data[place]
        place += 1
        value |= (part & 0x7F) << shift
        if part < 0x80:
            return value, place
        shift += 7
